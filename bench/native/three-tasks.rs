// Three threads joined by two channels of std::sync::mpsc, value by value: one counts, one squares, one adds up.
// Arguments: the capacity or "unbounded", the number of values, the number of measurements.

use std::sync::mpsc::{channel, sync_channel, Receiver, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// Both kinds of sender, so that the tasks are written once and compiled for each.
trait Send64: Send + 'static {
    fn send(&self, value: f64);
}

impl Send64 for SyncSender<f64> {
    fn send(&self, value: f64) {
        SyncSender::send(self, value).unwrap()
    }
}

impl Send64 for Sender<f64> {
    fn send(&self, value: f64) {
        Sender::send(self, value).unwrap()
    }
}

fn run<S: Send64>(values: u64, open: impl Fn() -> (S, Receiver<f64>)) -> f64 {
    let (numbers, to_square) = open();
    let (squares, to_sum) = open();
    thread::spawn(move || {
        for i in 0..values {
            numbers.send(i as f64);
        }
    });
    thread::spawn(move || {
        for value in to_square {
            squares.send(value * value);
        }
    });
    let mut total = 0.0;
    for value in to_sum {
        total += value;
    }
    total
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let values: u64 = args[2].parse().unwrap();
    let times: u64 = args[3].parse().unwrap();
    let job = |values| match args[1].parse::<usize>() {
        Ok(capacity) => run(values, || sync_channel(capacity)),
        Err(_) => run(values, channel),
    };
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        job(values / 10);
    }
    let mut result = 0.0;
    let mut nanoseconds = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        result = job(values);
        nanoseconds.push(start.elapsed().as_nanos() as f64 / values as f64);
    }
    println!("{{\"values\":{values},\"nanoseconds\":{nanoseconds:?},\"result\":{result}}}");
}
