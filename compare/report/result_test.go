package report_test

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/refrain-lm/refrain/compare"
)

// kinds are the models of the tests' results; loss is where each ends.
var kinds = []struct {
	name, kind string
	loss       float64
	rate       float64
}{
	{"RNN", compare.KindRNN, 1.642, 0.003},
	{"LSTM", compare.KindLSTM, 1.512, 0.01},
	{"GRU", compare.KindGRU, 1.548, 0.01},
	{"5-gram", compare.KindNGram, 1.671, 0},
	{"Feed-forward", compare.KindFeedForward, 1.733, 0.003},
	{"Transformer", compare.KindTransformer, 1.578, 0.003},
}

const (
	perRun    = 4_000_000
	blockSize = 1024
	blocks    = 110
)

// plausible makes a whole result of n models as a real comparison leaves it, from
// curves and noise that a seed fixes.
func plausible(n int) compare.Result {
	random := rand.New(rand.NewPCG(5, 5))
	r := compare.Result{
		Command: "refrain compare shakespeare.txt --models rnn,lstm,gru,ngram,ffn,transformer --tokens 4000000 --seeds 1,2,3",
		Version: "refrain 0.1.0",
		Text: compare.Text{Name: "shakespeare.txt", Bytes: 1_115_394, SHA256: strings.Repeat("86c4e6aa", 8), Tokenizer: "char", Unit: "char", Vocab: 65,
			Train: compare.Part{Bytes: 892_000, Tokens: 892_000}, Valid: compare.Part{From: 892_000, Bytes: 111_000, Tokens: 111_000},
			Test:   compare.Part{From: 1_003_000, Bytes: blocks * blockSize, Tokens: blocks * blockSize},
			Blocks: compare.Blocks{Size: blockSize}},
		Plan: compare.Plan{Equal: "tokens", Budget: "10m", Tokens: perRun, Parameters: 426_349, Reference: "LSTM", Seeds: []uint64{1, 2, 3}, SearchSeed: 4, Validated: 24_576, Gentle: compare.Gentle,
			Layers: 1, Embedding: 64, Window: 64, Batch: 32, Optimizer: "Adam", Clip: 1, Dropout: 0, Warmup: 0.02, Cooldown: 0.2},
		Machine:        &compare.Machine{CPU: "AMD EPYC 9R45", Kernels: "AVX-512", Threads: 2, System: "linux/amd64"},
		Floors:         []compare.Floor{{Name: "unigram", TestLoss: 3.319, Accuracy: 0.152}, {Name: "uniform", TestLoss: math.Log(65), Accuracy: compare.Number(1.0 / 65)}},
		ContextTargets: 2000,
		Counts:         []compare.Count{{From: 0, To: 0, Words: 1900, Tokens: 14_000}, {From: 1, To: 9, Words: 2700, Tokens: 19_000}, {From: 10, To: 99, Words: 4800, Tokens: 28_000}, {From: 100, To: 999, Words: 7100, Tokens: 32_000}, {From: 1000, To: -1, Words: 6300, Tokens: 19_640}},
		Prompt:         &compare.Prompt{Text: "KING RICHARD:\n", Temperature: 0.8, Seed: 1},
		Sentence:       &compare.Sentence{Tokens: strings.Split("And so, good night", ""), Line: 1204},
	}
	shared := make([]float64, blocks)
	for b := range shared {
		shared[b] = 0.12 * random.NormFloat64()
		r.Text.Blocks.Tokens = append(r.Text.Blocks.Tokens, blockSize)
	}
	for _, k := range kinds[:n] {
		r.Models = append(r.Models, model(r, k.name, k.kind, k.loss, k.rate, shared, random))
	}
	return r
}

func model(r compare.Result, name, kind string, loss, rate float64, shared []float64, random *rand.Rand) compare.Model {
	m := compare.Model{Name: name, Kind: kind, Scores: "state carried", FileBytes: 1_705_396,
		Size: compare.Size{Total: 426_349 + random.Int64N(2000), Embedding: 4160, Head: 16_705, Cell: 405_000, Hidden: 280 + random.IntN(300), MultiplyAdds: 420_000},
		Cost: &compare.Cost{TrainTokens: spread(60_000*random.Float64()+30_000, random), StepMillis: spread(0.02+0.05*random.Float64(), random), PeakBytes: 118_000_000 + random.Int64N(40_000_000)},
	}
	seeds := r.Plan.Seeds
	switch kind {
	case compare.KindNGram:
		m.Scores, m.Reach, seeds = "4 characters", 4, seeds[:1]
		m.Size = compare.Size{Total: 812_411}
		m.FileBytes = 9_340_112
		m.Search = &compare.Search{Setting: "order", Chosen: 5, Trials: []compare.Trial{{Value: 3, Loss: 1.9}, {Value: 4, Loss: 1.71}, {Value: 5, Loss: 1.66}, {Value: 6, Loss: 1.67}}}
	case compare.KindFeedForward:
		m.Scores, m.Reach = "8 characters", 8
	case compare.KindTransformer:
		m.Scores, m.Reach = "windows of 64, stride 32", 64
	}
	if kind != compare.KindNGram {
		m.Search = search(loss, rate, kind == compare.KindRNN)
	}
	own := make([]float64, len(shared))
	for b := range own {
		own[b] = 0.02 * random.NormFloat64()
	}
	for _, seed := range seeds {
		m.Runs = append(m.Runs, run(m, seed, loss, shared, own, random))
	}
	m.Context = &compare.Context{}
	for at := 1; at <= 512 && (kind != compare.KindTransformer || at <= 64); at *= 2 {
		seen := at
		if m.Reach > 0 {
			seen = min(at, m.Reach)
		}
		m.Context.Lengths = append(m.Context.Lengths, at)
		m.Context.Loss = append(m.Context.Loss, loss+0.9*math.Exp(-math.Pow(float64(seen), 0.55)*(loss-1.1)))
	}
	for i, c := range r.Counts {
		m.CountNats = append(m.CountNats, float64(c.Tokens)*loss*[]float64{1.9, 1.35, 1.05, 0.8, 0.5}[i])
	}
	m.Samples = []compare.Sample{
		{Text: "What say you to the king, my lord, that I\nShould be the heart of his dispatch and grief?\nCome, come away, and bear the common crown,\n", CopiedFrom: 9, CopiedTo: 32},
		{Text: "Ay, and the man that bears me to the grave\nIs better than the sword.", CopiedFrom: 0, CopiedTo: 12},
	}
	for i := range r.Sentence.Tokens {
		bits := 3*random.ExpFloat64() + 0.05
		if i == 9 {
			bits += 4 * loss
		}
		m.Surprisal = append(m.Surprisal, compare.Number(bits))
	}
	if kind == compare.KindRNN || kind == compare.KindLSTM || kind == compare.KindGRU {
		inside(&m, r.Plan.Window, random)
	}
	return m
}

// search has a bowl around the chosen rate, and may have lost the largest.
func search(loss, rate float64, lost bool) *compare.Search {
	s := &compare.Search{Setting: "learning rate", Chosen: rate, Tokens: perRun / 5}
	for _, v := range []float64{0.0003, 0.001, 0.003, 0.01, 0.03} {
		t := compare.Trial{Value: v, Loss: compare.Number(loss + 0.14 + 0.35*math.Pow(math.Log10(v/rate), 2))}
		if lost && v == 0.03 {
			t.Loss, t.Diverged = compare.Number(math.NaN()), true
		}
		s.Trials = append(s.Trials, t)
	}
	return s
}

func run(m compare.Model, seed uint64, loss float64, shared, own []float64, random *rand.Rand) compare.Run {
	run := compare.Run{Seed: seed, Tokens: perRun, Best: perRun}
	shift := 0.004 * random.NormFloat64()
	if m.Kind == compare.KindNGram {
		shift, run.Tokens, run.Curve = 0, 892_000, []compare.Mark{{Tokens: 892_000, Loss: 1.66}}
	} else {
		run.Seconds = perRun / m.Cost.TrainTokens.Median
		for i := 1; i <= 24; i++ {
			x := float64(i) / 24
			at := loss - 0.01 + shift + 0.07*math.Pow(x, -0.75) - 0.07 + 0.01*random.NormFloat64()*(1-x)
			if x < 0.8 {
				at += 0.03
			} else {
				at += 0.15 * (1 - x)
			}
			run.Curve = append(run.Curve, compare.Mark{Tokens: int64(x * perRun), Loss: at, Seconds: x * run.Seconds})
		}
	}
	sum := 0.0
	for b := range shared {
		nats := blockSize * (loss + shift + shared[b] + own[b])
		sum += nats
		run.Nats = append(run.Nats, nats)
		run.Hits = append(run.Hits, int(blockSize*(0.9-loss/4+shift))+random.IntN(9))
	}
	hits := 0
	for _, h := range run.Hits {
		hits += h
	}
	run.TestLoss = compare.Number(sum / (blockSize * blocks))
	run.Accuracy = compare.Number(float64(hits) / (blockSize * blocks))
	return run
}

func spread(v float64, random *rand.Rand) compare.Spread {
	return compare.Spread{Median: v, Low: v * (0.93 + 0.05*random.Float64()), High: v * (1.01 + 0.04*random.Float64()), N: 5}
}

// inside gives a recurrent model its gradients and gates.
func inside(m *compare.Model, window int, random *rand.Rand) {
	decay := map[string]float64{compare.KindRNN: 0.16, compare.KindLSTM: 0.035, compare.KindGRU: 0.05}[m.Kind]
	m.Gradients = &compare.Gradients{State: "h", Window: window}
	if m.Kind == compare.KindLSTM {
		m.Gradients.State = "(h, c)"
	}
	for i, name := range []string{"start", "half", "end"} {
		stage := compare.GradientStage{Name: name, Tokens: int64(i) * perRun / 2}
		for lag := 0; lag <= 2*window; lag++ {
			v := math.Exp(-decay * float64(lag) * (3 - float64(i)))
			stage.Lags = append(stage.Lags, lag)
			stage.Median = append(stage.Median, compare.Number(v))
			stage.Low = append(stage.Low, compare.Number(v*math.Exp(-0.02*float64(lag))))
			stage.High = append(stage.High, compare.Number(v*math.Exp(0.02*float64(lag))))
		}
		m.Gradients.Stages = append(m.Gradients.Stages, stage)
	}
	gates := map[string][]string{compare.KindRNN: {"state"}, compare.KindLSTM: {"input", "forget", "output"}, compare.KindGRU: {"reset", "update"}}[m.Kind]
	for g, name := range gates {
		gate := compare.Gate{Layer: 1, Name: name}
		for range 256 {
			over := math.Pow(random.Float64(), 1.5+float64(g))
			gate.Over = append(gate.Over, over)
			if name != "state" {
				gate.Under = append(gate.Under, (1-over)*math.Pow(random.Float64(), 3))
			}
		}
		m.Gates = append(m.Gates, gate)
	}
}
