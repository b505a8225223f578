mod history;
mod keeping_up;
mod member;
mod rooms;
