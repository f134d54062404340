package tokenizer_test

import (
	"testing"

	"github.com/refrain-lm/refrain/tokenizer"
)

func BenchmarkEncode(b *testing.B) {
	text := corpus(b, "wikitext-2/wiki.valid.tokens")
	for _, o := range []tokenizer.Options{
		{Kind: tokenizer.Byte}, {Kind: tokenizer.Char}, {Kind: tokenizer.Char, Normalize: "NFC"},
		{Kind: tokenizer.Word}, {Kind: tokenizer.Word, Lower: true}, {Kind: tokenizer.Word, Words: tokenizer.Punct},
	} {
		tok := train(b, o, string(text))
		name := "kind=" + string(o.Kind) + ",words=" + o.Words + ",form=" + o.Normalize
		if o.Lower {
			name += ",lower"
		}
		for _, training := range []bool{false, true} {
			run := name
			if training {
				run += ",training"
			}
			b.Run(run, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				var ids []int32
				for b.Loop() {
					if training {
						ids = tok.EncodeTraining(ids[:0], text, 0)
					} else {
						ids = tok.Encode(ids[:0], text)
					}
				}
			})
		}
	}
}

func BenchmarkTrain(b *testing.B) {
	text := string(corpus(b, "wikitext-2/wiki.valid.tokens"))
	for _, o := range []tokenizer.Options{{Kind: tokenizer.Char}, {Kind: tokenizer.Word}, {Kind: tokenizer.Word, Words: tokenizer.Punct}} {
		b.Run("kind="+string(o.Kind)+",words="+o.Words, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				train(b, o, text)
			}
		})
	}
}
