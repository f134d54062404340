package cpu

import (
	"os"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	tests := []struct {
		name, override string
		machine        bool
		want           bool
		wantErr        string
	}{
		{"default with AVX2", "", true, true, ""},
		{"default without", "", false, false, ""},
		{"generic wins", "generic", true, false, ""},
		{"avx2 where present", "avx2", true, true, ""},
		{"avx2 where absent", "avx2", false, false, "no AVX2"},
		{"misspelt keeps the machine's", "avx", true, true, "unknown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := choose(test.override, test.machine)
			if got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if (err == nil) != (test.wantErr == "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("error %v, want one with %q", err, test.wantErr)
			}
		})
	}
}

// TestRequired fails where continuous integration promised a level that was
// not chosen, so that a fast path never goes untested unnoticed.
func TestRequired(t *testing.T) {
	switch want := os.Getenv("REFRAIN_REQUIRE_CPU"); want {
	case "":
		t.Skip("REFRAIN_REQUIRE_CPU is not set")
	case "avx2":
		if !AVX2 {
			t.Error("AVX2 was required and not chosen")
		}
	case "generic":
		if AVX2 {
			t.Error("generic was required, AVX2 was chosen")
		}
	default:
		t.Errorf("REFRAIN_REQUIRE_CPU=%q is unknown", want)
	}
}

func TestDescribe(t *testing.T) {
	if got := Describe(); !strings.Contains(got, "cores") || strings.ContainsAny(got, "\n\x00") {
		t.Errorf("Describe() = %q, want one line with the number of cores", got)
	}
}
