package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// precisions trains the same models on words and on characters with operands in
// float32 and in bfloat16, with the same seeds, steps and all else, and evaluates
// both in float32.
func precisions(s settings) (string, error) {
	words, wordsValid := s.penn()
	characters, charactersValid, err := s.tinyShakespeare()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("Perplexity of the same validation text, a token of it a word of PTB or a character of tinyshakespeare.\n\n" +
		"| text | plan | seed | float32 | bfloat16 | difference |\n|---|---|--:|--:|--:|--:|\n")
	for _, text := range []struct {
		name, valid string
		args        []string
	}{
		{"PTB", wordsValid, []string{words, "--valid", wordsValid, "--tokenizer", "word", "--nhid", "128", "--emsize", "128",
			"--batch-size", "32", "--bptt", "35", "--steps", "1500"}},
		{"tinyshakespeare", charactersValid, []string{characters, "--nhid", "256", "--emsize", "64",
			"--batch-size", "32", "--bptt", "64", "--steps", "1500"}},
	} {
		rows, err := s.besideFloat32(text.name, text.valid, append(text.args, s.extra...))
		if err != nil {
			return "", err
		}
		b.WriteString(rows)
	}
	return b.String(), nil
}

// besideFloat32 is a row for each seed of one text, and one for the mean.
func (s settings) besideFloat32(name, valid string, args []string) (string, error) {
	var b strings.Builder
	var perplexities [2][]float64
	var differences []float64
	for seed := 1; seed <= s.seeds; seed++ {
		var planned string
		for i, precision := range []string{"float32", "bfloat16"} {
			t, err := s.program.train(fmt.Sprintf("%s-%s-%d", name, precision, seed),
				append(args, "--seed", fmt.Sprint(seed), "--precision", precision)...)
			if err != nil {
				return "", err
			}
			e, err := s.program.eval(t.folder, valid)
			if err != nil {
				return "", err
			}
			perplexities[i] = append(perplexities[i], e.Perplexity)
			if planned, err = plan(t.folder); err != nil {
				return "", err
			}
		}
		single, half := perplexities[0][seed-1], perplexities[1][seed-1]
		differences = append(differences, half/single-1)
		fmt.Fprintf(&b, "| %s | %s | %d | %.4f | %.4f | %+.3f %% |\n", name, planned, seed, single, half, 100*differences[seed-1])
	}
	float32s := perplexities[0]
	fmt.Fprintf(&b, "| %s | means; float32's seeds lie up to %.2f %% apart | | %.4f | %.4f | %+.3f %%, at most %.3f %% |\n", name,
		100*(slices.Max(float32s)/slices.Min(float32s)-1), mean(float32s), mean(perplexities[1]), 100*mean(differences), 100*largest(differences))
	return b.String(), nil
}

// largest is the largest of the values' sizes.
func largest(values []float64) (size float64) {
	for _, v := range values {
		size = max(size, math.Abs(v))
	}
	return size
}
