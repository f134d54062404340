package train_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/train"
)

const vectors = "river 1 0 0 0\nbridge 0 1 0 0\n</s> 0 0 1 0\nship 9 9 9 9\n"

// vectorJob is a short run on prose whose embedding begins with vectors.
func vectorJob(t *testing.T, file, out string, more ...string) (*train.Job, error) {
	t.Helper()
	dir := t.TempDir()
	s := settings(t, append([]string{"tokenizer=word", "cell=gru", "nhid=8", "steps=5", "batch-size=2", "bptt=8", "vectors=" + write(t, dir, "vectors.txt", file)}, more...)...)
	return train.Prepare(context.Background(), s, train.Input{Sources: sources(t, write(t, dir, "prose.txt", prose(200))), Out: out}, nil)
}

// TestVectors: the words that the file has begin with its vectors, stay there if
// frozen, move if not; the plan counts them; a resumed run has the same bits.
func TestVectors(t *testing.T) {
	for _, freeze := range []bool{false, true} {
		out := t.TempDir() + "/model"
		var more []string
		if freeze {
			more = []string{"freeze-embedding=true"}
		}
		job, err := vectorJob(t, vectors, out, more...)
		if err != nil {
			t.Fatal(err)
		}
		v := job.Plan().Vectors
		if v == nil || v.Found != 3 || v.Width != 4 || v.Words <= v.Found {
			t.Fatalf("plan %+v, want 3 words found of more, 4 wide", v)
		}
		if _, err := job.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if err := job.Close(); err != nil {
			t.Fatal(err)
		}
		m, err := eval.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		id := m.Tokenizer.Encode(nil, []byte("river"))[0]
		row := m.LM.Embedding().Value[4*id : 4*id+4]
		if same := slices.Equal(row, []float32{1, 0, 0, 0}); same != freeze {
			t.Errorf("frozen %v: the vector of river is %v after training", freeze, row)
		}
		again, err := train.Resume(context.Background(), out, settings(t, "steps=3"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if m, err = eval.Open(out); err != nil {
			t.Fatal(err)
		}
		if row = m.LM.Embedding().Value[4*id : 4*id+4]; freeze && !slices.Equal(row, []float32{1, 0, 0, 0}) {
			t.Errorf("the frozen vector of river is %v after resuming", row)
		}
		if _, err := train.Resume(context.Background(), out, settings(t, "vectors=other.txt"), nil); err == nil || !strings.Contains(err.Error(), "vectors") {
			t.Errorf("other vectors on resuming: %v", err)
		}
	}
}

func TestVectorErrors(t *testing.T) {
	for _, c := range []struct {
		name, file string
		more       []string
		want       string
	}{
		{"wrong width", vectors, []string{"emsize=5"}, "the vectors have 4 numbers, the embedding is 5 wide: take --emsize 4"},
		{"another language", "Schiff 1 2\n", nil, "has none of the"},
		{"a text", prose(3), nil, "not a file of word vectors"},
		{"frozen and tied", vectors, []string{"freeze-embedding=true", "tied=true"}, "--tied"},
	} {
		_, err := vectorJob(t, c.file, t.TempDir()+"/model", c.more...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", c.name, err, c.want)
		}
	}
	s := settings(t, "freeze-embedding=true")
	if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "--vectors") {
		t.Errorf("frozen without vectors: %v", err)
	}
}
