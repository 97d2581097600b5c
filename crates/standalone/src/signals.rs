//! The signals that end the program. The first process of a container has no other way to end.

use std::io;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A signal, as the exit code of a program that it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signal {
    pub(crate) exit_code: i32,
}

/// The signals, from the moment on when they are expected. Before, each ends the program.
#[derive(Debug)]
pub(crate) struct Signals(UnboundedReceiver<Signal>);

impl Signals {
    pub(crate) fn expect() -> io::Result<Self> {
        let (sender, signals) = unbounded_channel();
        forward(sender)?;
        Ok(Self(signals))
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        self.0.recv().await.expect("the sender waits for signals as long as the program runs")
    }
}

/// SIGINT and SIGTERM, for which a thread waits.
#[cfg(unix)]
fn forward(sender: UnboundedSender<Signal>) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let forward = move || {
        for signal in signals.forever() {
            // Without a receiver, the program is about to end.
            _ = sender.send(Signal { exit_code: 128 + signal });
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(forward).map(drop)
}

/// Ctrl+C on the console.
#[cfg(windows)]
fn forward(sender: UnboundedSender<Signal>) -> io::Result<()> {
    let mut signals = tokio::signal::windows::ctrl_c()?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            // The exit code of a program that Ctrl+C ends, in the shells of Unix.
            _ = sender.send(Signal { exit_code: 130 });
        }
    });
    Ok(())
}
