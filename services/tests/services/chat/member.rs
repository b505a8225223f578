//! A member of a room, as its client sees it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::running::Running;

pub(super) struct Member {
    pub(super) socket: WebSocketStream<TcpStream>,
}

impl Member {
    /// Joined, with the number of members it was told.
    pub(super) async fn join(chat: &Running, room: &str, name: &str) -> (Self, u64) {
        let (member, joined) = Self::enter(chat, room, &format!("member={name}")).await;
        (member, joined["members"].as_u64().expect("a number"))
    }

    /// Joined again after a message, with the first frame.
    pub(super) async fn come_back(chat: &Running, room: &str, after: &str) -> (Self, Value) {
        Self::enter(chat, room, &format!("member=ada&after={after}")).await
    }

    async fn enter(chat: &Running, room: &str, query: &str) -> (Self, Value) {
        let stream = TcpStream::connect(chat.address).await.expect("it listens");
        let url = format!("ws://{}/rooms/{room}/ws?{query}", chat.address);
        let (socket, response) = client_async(url, stream).await.expect("upgraded");
        assert_eq!(response.status(), 101);
        let mut member = Self { socket };
        let joined = member.next_json().await;
        assert_eq!(joined["joined"], room);
        (member, joined)
    }

    pub(super) async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(10), self.socket.next()).await;
        next.expect("within 10 s").expect("still open").expect("no error")
    }

    /// The next frame, whatever it tells.
    pub(super) async fn next_json(&mut self) -> Value {
        let message = self.next().await;
        serde_json::from_str(message.to_text().expect("text")).expect("JSON")
    }

    /// The next message; who comes and goes is passed over.
    pub(super) async fn next_message(&mut self) -> Value {
        loop {
            let frame = self.next_json().await;
            if frame.get("event").is_none() {
                return frame;
            }
        }
    }

    pub(super) async fn say(&mut self, id: &str) {
        let text = json!({ "id": id, "text": "hello" }).to_string();
        self.socket.send(Message::text(text)).await.expect("sent");
    }

    /// Says it and waits until it is told so; the place of the message.
    pub(super) async fn say_and_hear(&mut self, id: &str) -> String {
        self.say(id).await;
        let heard = self.next_message().await;
        assert_eq!(heard["id"], id);
        heard["seq"].as_str().expect("a place").to_owned()
    }

    pub(super) async fn close(&mut self) {
        self.socket.send(Message::Close(None)).await.expect("sent");
    }

    /// Every message up to the close, and its code.
    pub(super) async fn rest(&mut self) -> (Vec<Value>, Option<u16>) {
        let mut received = Vec::new();
        loop {
            match self.next().await {
                Message::Text(text) => received.push(serde_json::from_str::<Value>(&text).expect("JSON")),
                Message::Close(frame) => {
                    received.retain(|frame| frame.get("event").is_none());
                    return (received, frame.map(|CloseFrame { code, .. }| u16::from(code)));
                }
                _ => {}
            }
        }
    }
}

/// The ids of messages, in their order.
pub(super) fn ids(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["id"].as_str().expect("an id")).collect()
}
