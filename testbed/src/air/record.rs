//! What was on the air, as a pcap file that Wireshark and tcpdump read: each try of each frame, with
//! its time on the air's clock.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};

use super::frame::{FRAME_MAX, Frame};

/// How many frames wait for the disk: a second of a busy radio. More are not recorded, for the air does
/// not wait for a disk.
const WAITING_MAX: usize = 8192;

/// Of pcap files with nanoseconds, and Ethernet in them.
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: (u16, u16) = (2, 4);
const ETHERNET: u32 = 1;

/// Writes a file, in a thread of its own.
#[derive(Debug)]
pub(crate) struct Recorder {
    frames: SyncSender<(Duration, Frame)>,
    thread: JoinHandle<Result<()>>,
    missed: u64,
}

impl Recorder {
    /// Begins a file; what it says happened at 0 happens now.
    pub(crate) fn create(path: &Path) -> Result<Recorder> {
        let name = path.display().to_string();
        let file = File::create(path).with_context(|| format!("cannot make {name}"))?;
        let (frames, waiting) = sync_channel(WAITING_MAX);
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let thread = std::thread::spawn(move || {
            write(BufWriter::new(file), began, &waiting)
                .with_context(|| format!("cannot write {name}"))
        });
        Ok(Recorder { frames, thread, missed: 0 })
    }

    /// Writes a frame, or counts it as missed.
    pub(crate) fn frame(&mut self, at: Duration, frame: Frame) {
        self.missed += u64::from(self.frames.try_send((at, frame)).is_err());
    }

    /// How many frames are not in the file.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    /// Waits until all is written.
    pub(crate) fn finish(self) -> Result<()> {
        drop(self.frames);
        self.thread.join().unwrap_or_else(|_| Err(anyhow!("the recorder panicked")))
    }
}

fn write(
    mut file: impl Write,
    began: Duration,
    frames: &Receiver<(Duration, Frame)>,
) -> io::Result<()> {
    file.write_all(&MAGIC.to_le_bytes())?;
    file.write_all(&VERSION.0.to_le_bytes())?;
    file.write_all(&VERSION.1.to_le_bytes())?;
    // Time zone and precision are always 0.
    for word in [0, 0, FRAME_MAX as u32, ETHERNET] {
        file.write_all(&word.to_le_bytes())?;
    }
    for (at, frame) in frames {
        let at = began + at;
        let length = frame.len() as u32;
        for word in [at.as_secs() as u32, at.subsec_nanos(), length, length] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(frame.bytes())?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_header_and_a_record_for_each_frame() {
        let (sender, frames) = sync_channel(4);
        sender.send((Duration::from_nanos(1_500), Frame::new(&[7; 60], 1).unwrap())).unwrap();
        drop(sender);
        let mut file = Vec::new();
        write(&mut file, Duration::from_secs(9), &frames).unwrap();
        assert_eq!(file.len(), 24 + 16 + 60);
        assert_eq!(file[..4], [0x4d, 0x3c, 0xb2, 0xa1]);
        assert_eq!(file[20..24], [1, 0, 0, 0]);
        let words = file[24..40].chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        assert_eq!(words.collect::<Vec<_>>(), [9, 1500, 60, 60]);
        assert_eq!(file[40..], [7; 60]);
    }
}
