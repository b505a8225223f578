//! A mail server that knows just enough of SMTP to take a mail, or to put it off once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct MailServer {
    pub(super) address: SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    /// Its first session is put off with 451.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mails = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&mails);
        tokio::spawn(async move {
            for session in 0.. {
                let (stream, _) = listener.accept().await.expect("a connection");
                // A client that hangs up is the end of its session.
                let _ = serve(stream, session == 0, &kept).await;
            }
        });
        Self { address, mails }
    }

    pub(super) fn mails(&self) -> Vec<String> {
        self.mails.lock().expect("not poisoned").clone()
    }
}

async fn serve(stream: TcpStream, put_off: bool, mails: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 ready\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let command = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let reply = match command.as_str() {
            "MAIL" if put_off => "451 later\r\n",
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    mail.push_str(&line);
                    mail.push('\n');
                }
                mails.lock().expect("not poisoned").push(mail);
                "250 taken\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        writer.write_all(reply.as_bytes()).await?;
    }
    Ok(())
}
