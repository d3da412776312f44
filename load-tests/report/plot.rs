//! Lines as SVG.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use utopia_load_tests::outcome::{Line, Plot};

const SIZE: (u32, u32) = (720, 400);
const COLOURS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 96, 12),
    RGBColor(44, 140, 44),
    RGBColor(148, 60, 160),
    RGBColor(120, 120, 120),
    RGBColor(160, 40, 40),
];

/// The plot as an SVG document; both axes begin at zero.
pub(crate) fn svg(plot: &Plot) -> Result<String> {
    let mut document = String::new();
    draw(plot, &mut document).map_err(|error| anyhow!("plot {} cannot be drawn: {error}", plot.name))?;
    Ok(document)
}

fn draw(plot: &Plot, document: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let points = || plot.lines.iter().flat_map(|line| &line.points);
    let most = |axis: fn(&(f64, f64)) -> f64| points().map(axis).filter(|value| value.is_finite()).fold(1e-9, f64::max) * 1.05;
    let area = SVGBackend::with_string(document, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut builder = ChartBuilder::on(&area);
    builder.caption(&plot.title, ("sans-serif", 18)).margin(12).x_label_area_size(40).y_label_area_size(64);
    let mut chart = builder.build_cartesian_2d(0.0..most(|point| point.0), 0.0..most(|point| point.1))?;
    chart.configure_mesh().x_desc(&plot.x).y_desc(&plot.y).light_line_style(WHITE).draw()?;
    for (Line { name, points }, colour) in plot.lines.iter().zip(COLOURS.iter().cycle()) {
        let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3))?;
        drawn.label(name).legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    let mut labels = chart.configure_series_labels();
    labels
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(RGBColor(200, 200, 200))
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_names_and_axes_units() {
        let line = |name: &str| Line { name: name.to_owned(), points: vec![(1_000.0, 38.0), (18_000.0, 39.5)] };
        let plot = Plot {
            name: "memory".into(),
            title: "Memory".into(),
            x: "agents".into(),
            y: "kB".into(),
            lines: vec![line("control plane"), line("bare tonic")],
        };
        let document = svg(&plot).unwrap();
        for text in ["<svg", "Memory", "agents", "kB", "control plane", "bare tonic"] {
            assert!(document.contains(text), "{text}");
        }
    }
}
