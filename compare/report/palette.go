package report

import "fmt"

// The palettes. Every series has a contrast of 4.68:1 or more with the page in
// light, 5.40:1 in dark, so that labels may have its colour too; the closest two
// are apart by 12 in OKLab (×100), also as people with deutan, protan and tritan
// vision see them.
var light = map[string]uint32{
	"rnn": 0xc24a12, "lstm": 0x1f3f9c, "gru": 0x0f7f74, "ngram": 0x1e1f22, "ffn": 0x7a2f3c, "transformer": 0x8b59c9,
	"page": 0xfcfcfa, "ink": 0x1e1f22, "muted": 0x5a5e66, "axis": 0x8a8d92,
}

var dark = map[string]uint32{
	"rnn": 0xf86927, "lstm": 0x4c8df0, "gru": 0x5fd39b, "ngram": 0xe9ebef, "ffn": 0xb8829a, "transformer": 0xc9b2ff,
	"page": 0x15181d, "ink": 0xe9ebef, "muted": 0xa3a9b3, "axis": 0x6f7680,
}

// tones is their order in the style sheet.
var tones = []string{"rnn", "lstm", "gru", "ngram", "ffn", "transformer", "page", "ink", "muted", "axis"}

// The shades of surprisal, from 2, 5, 8 and 12 bits up.
var (
	surprisalCuts  = []float64{2, 5, 8, 12}
	surprisalLight = []uint32{0xfcfcfa, 0xfde9d3, 0xfbcf9f, 0xf3ad68, 0xe28b3c}
	surprisalDark  = []uint32{0x15181d, 0x33251a, 0x553415, 0x7a4510, 0x9c5a10}
)

// shadeFor is the shade of so many bits, from 1.
func shadeFor(bits float64) int {
	shade := 1
	for _, cut := range surprisalCuts {
		if bits >= cut {
			shade++
		}
	}
	return shade
}

func hex(colour uint32) string { return fmt.Sprintf("#%06x", colour) }
