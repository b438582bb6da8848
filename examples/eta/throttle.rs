//! What slows a dump down: a reader of its output, or a narrow line to the server.

use crate::chance::Chance;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How many bytes a second it lets through, as time goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// Bytes a second.
    pub bytes: f64,
    /// How it changes.
    pub course: Course,
}

/// How a rate changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Course {
    /// Not at all.
    Steady,
    /// Every two seconds, by a factor of about this.
    Noisy(f64),
    /// From a second on it is so many times as fast, for good.
    Step(f64, f64),
    /// From a second on nothing gets through, for so many seconds.
    Stall(f64, f64),
    /// Up and down, once in so many seconds.
    Wave(f64),
}

impl Course {
    /// One for a run that would take so many seconds.
    pub fn any(chance: &mut Chance, seconds: f64) -> Self {
        let at = seconds * chance.between(0.2, 0.7);
        match (chance.share() * 6.0) as u32 {
            0 => Self::Steady,
            1 | 2 => Self::Noisy(chance.between(1.2, 2.0)),
            3 => Self::Step(at, *chance.one_of(&[0.3, 0.5, 2.0])),
            4 => Self::Stall(at, seconds * chance.between(0.15, 0.4)),
            _ => Self::Wave(chance.between(5.0, 15.0)),
        }
    }
}

impl Rate {
    fn at(&self, now: f64) -> f64 {
        let times = match self.course {
            Course::Steady => 1.0,
            Course::Noisy(by) => by.powf(2.0 * Chance::new((now / 2.0) as u64 + 7).share() - 1.0),
            Course::Step(at, times) => {
                if now < at {
                    1.0
                } else {
                    times
                }
            }
            Course::Stall(at, long) => f64::from(u8::from(!(at..at + long).contains(&now))),
            Course::Wave(long) => 1.0 + 0.6 * (now / long * std::f64::consts::TAU).sin(),
        };
        self.bytes * times
    }
}

/// Lets bytes through, for all that share it.
struct Valve {
    rate: Rate,
    begun: Instant,
    /// Until when what was let through takes.
    busy: Mutex<f64>,
}

impl Valve {
    fn pass(&self, bytes: usize) {
        let wait = {
            let mut busy = self.busy.lock().expect("a valve");
            let now = self.begun.elapsed().as_secs_f64();
            let mut at = busy.max(now - 0.05);
            let mut left = bytes as f64;
            // In steps: the rate changes meanwhile.
            while left > 0.0 {
                left -= self.rate.at(at) * 0.02;
                at += 0.02;
            }
            *busy = at;
            at - now
        };
        std::thread::sleep(Duration::from_secs_f64(wait.max(0.0)));
    }
}

fn valve(rate: Rate) -> Arc<Valve> {
    Arc::new(Valve {
        rate,
        begun: Instant::now(),
        busy: Mutex::new(0.0),
    })
}

/// Reads everything, no faster than that.
pub fn read(mut output: impl Read, rate: Rate) {
    let valve = valve(rate);
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        valve.pass(count);
    }
}

/// A line to the server that is no faster than that, for all connections together; its port.
pub fn line(server: u16, rate: Rate) -> std::io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let valve = valve(rate);
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                return;
            };
            let (Ok(back), Ok(forth)) = (server.try_clone(), client.try_clone()) else {
                return;
            };
            let valve = Arc::clone(&valve);
            std::thread::spawn(move || pump(forth, server, None));
            std::thread::spawn(move || pump(back, client, Some(&valve)));
        }
    });
    Ok(port)
}

fn pump(mut from: TcpStream, mut to: TcpStream, valve: Option<&Valve>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if let Some(valve) = valve {
            valve.pass(count);
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
