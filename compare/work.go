package compare

import (
	"math"
	"sort"

	"github.com/refrain-lm/refrain/train"
)

// work is what a part of a comparison takes, counted in tokens: trained on, read many
// at a time, and read one by one. What a plan promises of shares it promises of work;
// seconds are for the clock to guess.
type work struct{ trained, read, steps float64 }

func (w work) plus(v work, times float64) work {
	return work{w.trained + times*v.trained, w.read + times*v.read, w.steps + times*v.steps}
}

// What a token takes that is not trained on, in those that are. Read among many it is a
// third of the multiply-adds and up to half of the time; read alone it waits for every
// weight.
const (
	reading  = 0.5
	stepping = 6
)

// tokens is the work in trained tokens.
func (w work) tokens() float64 { return w.trained + reading*w.read + stepping*w.steps }

// validShare is the share of every run's work that goes into validations, at most.
const validShare = 0.1

// The validations of a final run: as many as let each look at enough tokens, and
// where there are not even four such, four shorter ones. Twenty-four draw a curve;
// four still show whether the loss fell before the cooling began.
var markCounts = []int64{24, 12, 8, 6, 4}

// enoughValid is how many tokens of validation tell one checkpoint from another:
// their losses, on the same tokens, differ by 0.02 nats or so more or less by chance.
const enoughValid = 512

// validations is how often a run that reads so many tokens validates, and on how
// many; after its end it is measured so many times more.
func (p Protocol) validations(read, after int64) (times, tokens int64) {
	for _, times = range markCounts {
		if tokens = p.validTokens(read, times+after); tokens >= min(enoughValid, p.Text.Valid.Tokens) {
			break
		}
	}
	return times, tokens
}

// validTokens is the length of validations that make, so many times, no more than
// validShare of the work of a run that reads so many tokens.
func (p Protocol) validTokens(read, times int64) int64 {
	most := validShare / (1 - validShare) * float64(read) / reading / float64(times)
	fits := sort.Search(int(max(0, p.Text.Valid.Tokens-2)), func(i int) bool {
		return float64(train.ValidationReads(int64(i)+3)) > most
	})
	return min(p.Text.Valid.Tokens, int64(fits)+2)
}

// cardMeasures is how often a final run is measured once more when it has ended, for
// its model card and its lines' distribution.
const cardMeasures = 2

// chooseMeasures bounds what is measured, as a function of the tokens that runs
// read.
func (p *Protocol) chooseMeasures() {
	final, search := p.fewestSteps()
	n := final * p.TokensPerStep()
	if final == 0 { // nothing is trained
		n = 1 << 20
	}
	p.Marks, p.ValidTokens = p.validations(n, cardMeasures)
	p.SearchValid = p.validTokens(search*p.TokensPerStep(), 1)
	p.TestTokens = max(n*2/5, p.fewestTest())
	p.Targets = int(min(2000, max(n/1000, 100)))
	p.GradientTargets = int(min(96, max(n/1000, 32)))
}

// fewestTest is the tokens of the fewest blocks that a comparison is drawn from, and
// half as many again.
func (p Protocol) fewestTest() int64 {
	const blocks = minBlocks * 3 / 2
	perToken := float64(p.Text.Valid.Bytes) / float64(max(1, p.Text.Valid.Tokens))
	return int64(math.Ceil(blocks * blockBytes / max(1, perToken)))
}

// validWork is the work of a final run beside its steps' own.
func (p Protocol) validWork() work {
	return work{read: float64((p.Marks + cardMeasures) * train.ValidationReads(p.ValidTokens))}
}

// testRead is the tokens of the test text that final models meet.
func (p Protocol) testRead() float64 {
	perToken := float64(p.Text.Valid.Bytes) / float64(max(1, p.Text.Valid.Tokens))
	return min(float64(p.TestTokens), float64(p.Text.Test.Bytes)/max(1, perToken))
}

// measureWork is the work of measuring an entry's final models; of a mixture that of
// each of its two.
func (p Protocol) measureWork(e Entry) work {
	test, context := p.testRead(), float64(p.Targets)*(2*longestContext-1)
	first := work{read: context, steps: sampleCount*sampleChars + (costRepeats+1)*stepsTimed} // of the first seed alone
	if e.counted() {
		return first.plus(work{steps: test}, 1)
	}
	if recurrent(e.Kind) {
		lags := 2 * float64(p.Settings.Shared.BPTT*p.GradientTargets)
		first = first.plus(work{trained: lags, read: lags}, float64(len(stages))).plus(work{read: 2 * lags}, 1) // of gates
	}
	each := work{read: test}
	if e.mixed() { // its weight is fitted, and its likeliest token found step by step
		each = work{read: test + float64(min(p.TestTokens, p.Text.Valid.Tokens)), steps: test}
	}
	return first.plus(each, float64(len(p.Seeds)))
}
