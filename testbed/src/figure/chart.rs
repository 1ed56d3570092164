//! A figure as SVG: lines with marks and error bars that are told apart without colour.

use kuva::backend::svg::SvgBackend;
use kuva::plot::legend::LegendPosition;
use kuva::plot::scatter::MarkerShape;
use kuva::plot::{LinePlot, LineStyle, ScatterPlot};
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;

use super::samples::Summary;

/// Each line has a mark and a stroke of its own; the paper's come last, so that ours look alike in all
/// figures.
const LOOKS: [(MarkerShape, LineStyle); 4] = [
    (MarkerShape::Circle, LineStyle::Solid),
    (MarkerShape::Square, LineStyle::Dashed),
    (MarkerShape::Triangle, LineStyle::DashDot),
    (MarkerShape::Cross, LineStyle::Dotted),
];
const SIZE: (f64, f64) = (720.0, 460.0);
/// What error bars show has to be said in each figure.
pub(super) const BARS: &str = "bars: standard deviation";

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// What it is, as in the legend.
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// A point, with how much it varies, if that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) deviation: Option<f64>,
}

/// A figure.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) title: String,
    /// With their units.
    pub(super) x: String,
    pub(super) y: String,
    /// Between two marks on the x axis.
    pub(super) step: f64,
    pub(super) lines: Vec<Line>,
}

impl Point {
    pub(super) fn exact(x: f64, y: f64) -> Point {
        Point { x, y, deviation: None }
    }

    pub(super) fn of(x: f64, summary: &Summary) -> Point {
        Point { x, y: summary.mean, deviation: Some(summary.deviation) }
    }
}

impl Chart {
    /// The whole document.
    pub(super) fn svg(&self) -> String {
        let mut plots = Vec::new();
        for (line, (mark, stroke)) in self.lines.iter().zip(LOOKS.iter().cycle()) {
            let points: Vec<(f64, f64)> = line.points.iter().map(|p| (p.x, p.y)).collect();
            let stroke = LinePlot::new().with_data(points.clone()).with_line_style(stroke.clone());
            plots.push(Plot::Line(stroke.with_color("black").with_stroke_width(1.5)));
            let mut marks = ScatterPlot::new().with_data(points).with_marker(*mark);
            marks = marks.with_color("black").with_size(4.5).with_legend(line.name.clone());
            if line.points.iter().any(|point| point.deviation.is_some()) {
                // A time is never below nothing, whatever its deviation.
                let bar = |p: &Point| {
                    let deviation = p.deviation.unwrap_or(0.0);
                    (deviation.min(p.y), deviation)
                };
                marks =
                    marks.with_y_err_asymmetric(line.points.iter().map(bar).collect::<Vec<_>>());
            }
            plots.push(Plot::Scatter(marks));
        }
        let top = self.lines.iter().flat_map(|line| &line.points);
        let top = top.map(|p| p.y + p.deviation.unwrap_or(0.0)).fold(0.0, f64::max);
        let layout = Layout::auto_from_plots(&plots)
            .with_title(&self.title)
            .with_x_label(&self.x)
            .with_y_label(&self.y)
            .with_x_axis_min(0.0)
            .with_x_tick_step(self.step)
            .with_y_axis_min(0.0)
            // Room for the legend above the lines.
            .with_y_axis_max(top.max(f64::MIN_POSITIVE) * 1.35)
            .with_legend_position(LegendPosition::InsideTopLeft)
            .with_width(SIZE.0)
            .with_height(SIZE.1)
            .with_bw_mode();
        SvgBackend::default().render_scene(&render_multiple(plots, layout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_what_its_axes_and_lines_are() {
        let ours = [9.0, 72.0].map(|x| Point { x, y: 2.0, deviation: Some(3.0) });
        let theirs = [Point::exact(9.0, 2.0), Point::exact(72.0, 8.0)];
        let line =
            |name: &str, points: [Point; 2]| Line { name: name.into(), points: points.into() };
        let chart = Chart {
            title: "Latency".into(),
            x: "super-nodes".into(),
            y: "ms".into(),
            step: 9.0,
            lines: vec![line("here", ours), line("the paper", theirs)],
        };
        let svg = chart.svg();
        for text in ["Latency", "super-nodes", ">ms<", "here", "the paper", ">72<"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"), "{svg}");
        assert!(svg.contains("stroke-dasharray"), "the second line is dashed");
    }
}
