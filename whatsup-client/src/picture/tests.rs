use image::{Rgba, RgbaImage};
use proptest::prelude::*;

use super::*;

/// Noise, as no encoder makes small.
fn noise(width: u32, height: u32) -> RgbImage {
    let mut random = fastrand::Rng::with_seed(7);
    RgbImage::from_fn(width, height, |_, _| {
        image::Rgb([random.u8(..), random.u8(..), random.u8(..)])
    })
}

/// Two colours: the left half red.
fn halves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| {
        image::Rgb(if 2 * x < width { [250, 0, 0] } else { [0, 0, 250] })
    })
}

fn written(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn read(bytes: &[u8]) -> RgbImage {
    image::load_from_memory(bytes).unwrap().into_rgb8()
}

/// One of each format.
fn samples() -> Vec<(ImageFormat, Vec<u8>)> {
    let image: DynamicImage = halves(60, 40).into();
    [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP]
        .into_iter()
        .map(|format| (format, written(&image, format)))
        .collect()
}

/// A JPEG with an Exif segment that says how to turn it, and a comment.
fn with_metadata(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let tiff = [
        b"MM\0\x2a\0\0\0\x08\0\x01".as_slice(),
        &[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let segment = |marker: u8, content: &[u8]| {
        let len = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker][..], &len, content].concat()
    };
    let exif = segment(0xe1, &[b"Exif\0\0", &tiff[..]].concat());
    let comment = segment(0xfe, b"taken at home");
    [&jpeg[..2], &exif, &comment, &jpeg[2..]].concat()
}

#[test]
fn every_format_is_read_whatever_it_is_called() {
    for (format, bytes) in samples() {
        assert_eq!(sniff(&bytes), Some(format.to_mime_type()));
        let picture = Picture::of(&bytes).unwrap();
        assert_eq!((picture.width, picture.height), (60, 40), "{format:?}");
        let pixel = read(&picture.bytes).get_pixel(5, 5).0;
        assert!(pixel[0] > 200 && pixel[2] < 60, "{format:?} {pixel:?}");
        assert!(picture.thumbnail.len() <= THUMBNAIL_MAX);
    }
    for text in [&b"<svg onload=alert(1)>"[..], b"", b"BM6\x03", b"%PDF-1.7", b"\xff\xd8"] {
        assert_eq!(Picture::of(text), Err(PictureError::NotAnImage), "{text:?}");
    }
}

#[test]
fn metadata_does_not_leave_this_machine_and_the_image_stands_upright() {
    let jpeg = written(&halves(60, 40).into(), ImageFormat::Jpeg);
    // To be turned by 90°: what was on the left is on top.
    let picture = Picture::of(&with_metadata(&jpeg, 6)).unwrap();
    assert_eq!((picture.width, picture.height), (40, 60));
    assert!(read(&picture.bytes).get_pixel(20, 5).0[0] > 200);
    for bytes in [&picture.bytes, &picture.thumbnail] {
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!has(b"Exif") && !has(b"taken at home"));
    }
    let thumbnail = read(&picture.thumbnail);
    assert_eq!((thumbnail.width(), thumbnail.height()), (40, 60));
    // A turn that there is none of is no reason to refuse an image.
    assert_eq!(Picture::of(&with_metadata(&jpeg, 77)).unwrap().width, 60);
}

#[test]
fn large_images_are_made_as_large_as_a_screen_and_thumbnails_stay_small() {
    let large = written(&noise(2400, 300).into(), ImageFormat::Png);
    let picture = Picture::of(&large).unwrap();
    assert_eq!((picture.width, picture.height, picture.media), (2048, 256, "image/jpeg"));
    assert!(picture.thumbnail.len() <= THUMBNAIL_MAX, "{}", picture.thumbnail.len());
    let square = Picture::of(&written(&noise(700, 700).into(), ImageFormat::Png)).unwrap();
    assert!(square.thumbnail.len() <= THUMBNAIL_MAX, "{}", square.thumbnail.len());
}

#[test]
fn drawings_stay_sharp_and_what_is_seen_through_stays_so() {
    let drawing = Picture::of(&written(&halves(300, 200).into(), ImageFormat::Png)).unwrap();
    assert_eq!(drawing.media, "image/png");
    assert_eq!(read(&drawing.bytes), halves(300, 200));
    let mut glass = RgbaImage::from_pixel(300, 200, Rgba([250, 0, 0, 255]));
    glass.put_pixel(3, 3, Rgba([0, 0, 0, 0]));
    let glass = Picture::of(&written(&glass.into(), ImageFormat::Png)).unwrap();
    let again = image::load_from_memory(&glass.bytes).unwrap().into_rgba8();
    assert_eq!((glass.media, again.get_pixel(3, 3).0[3]), ("image/png", 0));
    // Deep colours are made eight bits.
    let deep = image::ImageBuffer::from_pixel(30, 20, image::Rgb([65_535u16, 0, 0]));
    let deep = Picture::of(&written(&DynamicImage::ImageRgb16(deep), ImageFormat::Png)).unwrap();
    assert_eq!(read(&deep.bytes).get_pixel(1, 1).0, [255, 0, 0]);
}

#[test]
fn an_image_that_says_it_is_huge_takes_no_memory() {
    let mut png = written(&halves(60, 40).into(), ImageFormat::Png);
    for (width, height) in [(30_000u32, 30_000u32), (40_000, 1), (0x7fff_ffff, 0x7fff_ffff)] {
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        // The header's checksum, as whoever means harm sets it right.
        let mut sum = u32::MAX;
        for byte in &png[12..29] {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                sum = if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
            }
        }
        png[29..33].copy_from_slice(&(!sum).to_be_bytes());
        match Picture::of(&png).unwrap_err() {
            error @ PictureError::TooManyPixels { .. } => {
                assert_eq!(error, PictureError::TooManyPixels { width, height });
                assert!(error.to_string().contains("the limit is 64 million"), "{error}");
            }
            // Beyond what its format can say.
            error => assert!(width > 1 << 30 && matches!(error, PictureError::Damaged(_))),
        }
    }
    let mut gif = written(&halves(60, 40).into(), ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0xff; 4]);
    assert!(Picture::of(&gif).is_err());
}

#[tokio::test]
async fn what_is_cut_short_is_refused_or_shows_what_is_there() {
    for (format, bytes) in samples() {
        for len in 0..bytes.len() {
            match Picture::of(&bytes[..len]) {
                Ok(picture) => assert_eq!((picture.width, picture.height), (60, 40), "{format:?}"),
                Err(PictureError::NotAnImage) => assert!(len < 16, "{format:?} {len}"),
                Err(PictureError::Damaged(_)) => {}
                Err(other) => panic!("{format:?} {len}: {other}"),
            }
        }
        assert!(picture(bytes.into()).await.is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn flipped_bits_do_no_harm(
        which in 0usize..4, flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..6),
    ) {
        let (_, mut bytes) = samples().swap_remove(which);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Ok(picture) = Picture::of(&bytes) {
            prop_assert!(picture.width.max(picture.height) <= EDGE_MAX);
            prop_assert!(picture.thumbnail.len() <= THUMBNAIL_MAX);
        }
    }

    #[test]
    fn any_bytes_behind_an_images_first_do_no_harm(
        which in 0usize..4, rest in prop::collection::vec(any::<u8>(), 0..300), kept in 4usize..40,
    ) {
        let (_, bytes) = samples().swap_remove(which);
        let _ = Picture::of(&[&bytes[..kept], &rest].concat());
    }
}
