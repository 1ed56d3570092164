//! [`Picture`]: an image as it is shared: decoded within limits, turned upright, made no larger than a screen,
//! and written anew, so that nothing is in it but what is seen: no place, no camera, no name, no program.
//!
//! What an image is, its first bytes say, never its name. Whoever made it may mean harm: every size is checked
//! before memory is taken, and a decoder that fails takes nothing else with it.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

/// Largest image that is taken, in bytes: what any camera writes.
pub const INPUT_MAX: usize = 64 * 1024 * 1024;
/// Most pixels of an image that is taken: phones make 50 million. Decoded these take 256 MiB.
pub const PIXELS_MAX: u64 = 64_000_000;
/// Longest edge of an image that is taken, in pixels.
const INPUT_EDGE_MAX: u32 = 32_768;
/// Most memory for one image, in bytes: its pixels, and what a decoder needs beside them.
const MEMORY_MAX: u64 = 512 * 1024 * 1024;
/// Longest edge of an image as it is shared, in pixels: it fills a laptop's screen.
pub const EDGE_MAX: u32 = 2048;
/// Longest edge of a thumbnail, in pixels.
pub const THUMBNAIL_EDGE_MAX: u32 = 320;
/// Largest thumbnail, in bytes: fifty of them are read in no time.
pub const THUMBNAIL_MAX: usize = 20 * 1024;
/// Of 100: what most cameras write, and no worse to look at.
const QUALITY: u8 = 85;
/// Tried one after the other until a thumbnail is small enough.
const THUMBNAILS: [(u32, u8); 6] =
    [(THUMBNAIL_EDGE_MAX, 75), (320, 55), (320, 40), (240, 40), (160, 40), (96, 30)];

/// An image, ready to be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// JPEG, or PNG where that is needed or no larger than twice as much.
    pub bytes: Bytes,
    /// `image/jpeg` or `image/png`.
    pub media: &'static str,
    /// The ending its file has.
    pub ending: &'static str,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// A JPEG of at most [`THUMBNAIL_MAX`] bytes.
    pub thumbnail: Bytes,
}

/// Why something is not shared as an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Its bytes are no image's.
    #[error(
        "that is no JPEG, PNG, GIF or WebP image, whatever its name says; share it with --file"
    )]
    NotAnImage,
    /// It has more bytes than are looked at.
    #[error("the image has {0} bytes; the limit is {INPUT_MAX}; share it with --file")]
    TooLarge(usize),
    /// It has more pixels than are decoded.
    #[error(
        "the image has {width} × {height} pixels; the limit is {} million, and {INPUT_EDGE_MAX} on a side; \
         make it smaller, or share it with --file",
        PIXELS_MAX / 1_000_000
    )]
    TooManyPixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// It is damaged, cut short, or made to do harm.
    #[error("the image is damaged or cut short ({0}); nothing was shared")]
    Damaged(String),
}

/// The kind of image that these first bytes belong to, as a media type.
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    format(bytes).map(|format| format.to_mime_type())
}

/// Makes a picture of an image's bytes, on a thread where it keeps nobody waiting.
///
/// # Errors
/// [`PictureError`] says what is wrong with it.
pub async fn picture(bytes: Bytes) -> Result<Picture, PictureError> {
    let made = tokio::task::spawn_blocking(move || Picture::of(&bytes)).await;
    // A decoder's panic is its own.
    made.unwrap_or_else(|error| Err(PictureError::Damaged(error.to_string())))
}

impl Picture {
    /// Makes a picture of an image's bytes. It takes a second for each twenty million pixels, or so.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn of(bytes: &[u8]) -> Result<Picture, PictureError> {
        let (image, format) = decode(bytes)?;
        let image = scaled(image, EDGE_MAX);
        let (width, height) = (image.width(), image.height());
        let thumbnail = thumbnail(&image)?;
        let picture = |bytes: Vec<u8>, media, ending| {
            let bytes = Bytes::from(bytes);
            Picture { bytes, media, ending, width, height, thumbnail: thumbnail.clone() }
        };
        let is_seen_through = image.color().has_alpha()
            && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX);
        if is_seen_through {
            return Ok(picture(png(&image.to_rgba8().into())?, "image/png", "png"));
        }
        let opaque = image.into_rgb8();
        let lossy = jpeg(&opaque, QUALITY)?;
        // Screenshots and drawings stay sharp where that costs little.
        if matches!(format, ImageFormat::Png | ImageFormat::Gif) {
            let sharp = png(&opaque.into())?;
            if sharp.len() <= 2 * lossy.len() {
                return Ok(picture(sharp, "image/png", "png"));
            }
        }
        Ok(picture(lossy, "image/jpeg", "jpg"))
    }
}

fn format(bytes: &[u8]) -> Option<ImageFormat> {
    let taken = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP];
    image::guess_format(bytes).ok().filter(|format| taken.contains(format))
}

/// Its pixels, upright; of an animation the first image.
fn decode(bytes: &[u8]) -> Result<(DynamicImage, ImageFormat), PictureError> {
    let format = format(bytes).ok_or(PictureError::NotAnImage)?;
    if bytes.len() > INPUT_MAX {
        return Err(PictureError::TooLarge(bytes.len()));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(INPUT_EDGE_MAX);
    limits.max_image_height = Some(INPUT_EDGE_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| failed(bytes, format, &error))?;
    let (width, height) = decoder.dimensions();
    let too_many = u64::from(width) * u64::from(height) > PIXELS_MAX;
    if too_many || width.max(height) > INPUT_EDGE_MAX {
        return Err(PictureError::TooManyPixels { width, height });
    }
    // What says nothing sensible of it is as it is.
    let orientation = decoder.orientation().ok();
    let decoded = DynamicImage::from_decoder(decoder);
    let mut image = decoded.map_err(|error| failed(bytes, format, &error))?;
    if image.width() == 0 || image.height() == 0 {
        return Err(PictureError::Damaged("it has no pixels".to_owned()));
    }
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Ok((image, format))
}

/// An error in the decoder's words; of its limits, in ours.
fn failed(bytes: &[u8], format: ImageFormat, error: &image::ImageError) -> PictureError {
    if let image::ImageError::Limits(_) = error {
        let size = ImageReader::with_format(Cursor::new(bytes), format).into_dimensions();
        if let Ok((width, height)) = size {
            return PictureError::TooManyPixels { width, height };
        }
    }
    PictureError::Damaged(crate::text::shown(&error.to_string()).into_owned())
}

/// With no edge longer than that; never larger than it was.
fn scaled(image: DynamicImage, edge: u32) -> DynamicImage {
    if image.width().max(image.height()) <= edge {
        return image;
    }
    image.resize(edge, edge, FilterType::Triangle)
}

fn thumbnail(image: &DynamicImage) -> Result<Bytes, PictureError> {
    let mut small = Vec::new();
    for (edge, quality) in THUMBNAILS {
        small = jpeg(&on_white(scaled(image.clone(), edge)), quality)?;
        if small.len() <= THUMBNAIL_MAX {
            break;
        }
    }
    Ok(small.into())
}

/// Opaque: what is seen through is white.
fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0;
        let mixed = |part: u8| {
            let (part, alpha) = (u32::from(part), u32::from(alpha));
            u8::try_from((part * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
        };
        image::Rgb([mixed(red), mixed(green), mixed(blue)])
    })
}

fn jpeg(image: &RgbImage, quality: u8) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let written = image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality));
    written.map_err(|error| PictureError::Damaged(error.to_string()))?;
    Ok(bytes)
}

fn png(image: &DynamicImage) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let written = image.write_with_encoder(PngEncoder::new(&mut bytes));
    written.map_err(|error| PictureError::Damaged(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
