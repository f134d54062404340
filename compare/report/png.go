package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// pngScale is pixels for each unit of a drawing, pngMargin units around it.
const (
	pngScale  = 2
	pngMargin = 12.0
)

// painter puts a drawing on a canvas of gonum/plot, whose y grows upwards.
type painter struct {
	canvas        *vgimg.Canvas
	height        float64
	regular, bold *opentype.Font
}

// png paints the picture in the colours of the light theme.
func (d *drawing) png() ([]byte, error) {
	canvas := vgimg.NewWith(
		vgimg.UseWH(vg.Length(d.width+2*pngMargin), vg.Length(d.height+2*pngMargin)),
		vgimg.UseDPI(72*pngScale),
		vgimg.UseBackgroundColor(shadeOf("page", false)))
	p := painter{canvas: canvas, height: d.height}
	var err error
	if p.regular, err = opentype.Parse(liberationsansregular.TTF); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if p.bold, err = opentype.Parse(liberationsansbold.TTF); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	for i := range d.shapes {
		p.paint(&d.shapes[i])
	}
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return b.Bytes(), nil
}

func (p *painter) at(q xy) vg.Point {
	return vg.Point{X: vg.Length(pngMargin + q.x), Y: vg.Length(pngMargin + p.height - q.y)}
}

func (p *painter) paint(s *shape) {
	if s.text != "" {
		p.write(s)
		return
	}
	p.canvas.SetColor(shadeOf(s.tone, s.faint))
	var path vg.Path
	if s.circle > 0 {
		r := vg.Length(s.circle)
		centre := p.at(s.at)
		path.Move(vg.Point{X: centre.X + r, Y: centre.Y})
		path.Arc(centre, r, 0, 2*math.Pi)
		path.Close()
	}
	for _, points := range s.paths {
		for i, q := range points {
			if i == 0 {
				path.Move(p.at(q))
			} else {
				path.Line(p.at(q))
			}
		}
		if s.closed {
			path.Close()
		}
	}
	if s.fill {
		p.canvas.Fill(path)
	}
	if s.stroke > 0 {
		p.canvas.SetLineWidth(vg.Length(s.stroke))
		p.canvas.SetLineDash(dashes(s.dash), 0)
		p.canvas.Stroke(path)
	}
}

func dashes(pattern string) []vg.Length {
	var lengths []vg.Length
	for _, field := range strings.Fields(pattern) {
		if v, err := strconv.ParseFloat(field, 64); err == nil {
			lengths = append(lengths, vg.Length(v))
		}
	}
	return lengths
}

// write knows no narrow spaces; the font has none.
func (p *painter) write(s *shape) {
	written := strings.NewReplacer(thin, "\u00a0", "⁻", "¯").Replace(s.text) // the font has no raised minus, but a bar as high
	face := font.Face{Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(s.size)}, Face: p.regular}
	if s.bold {
		face.Face = p.bold
	}
	at := p.at(s.at)
	switch w := face.Width(written); s.anchor {
	case "middle":
		at.X -= w / 2
	case "end":
		at.X -= w
	}
	p.canvas.SetColor(shadeOf(s.tone, false))
	p.canvas.FillString(face, at, written)
}

// shadeOf is a colour of the light theme.
func shadeOf(tone string, faint bool) color.Color {
	c := light[tone]
	rgb := color.NRGBA{R: uint8(c >> 16), G: uint8(c >> 8), B: uint8(c), A: 255}
	if faint {
		rgb.A = 64
	}
	return rgb
}
