mod channels;
mod deliveries;
mod mail_server;
mod posted;
mod receiver;
mod sending;
