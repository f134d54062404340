package cpu

import (
	"os"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	all, old, plain := []Path{Generic, AVX2, AVX512}, []Path{Generic, AVX2}, []Path{Generic}
	units := append(all[:len(all):len(all)], AMX)
	tests := []struct {
		name, override string
		machine        []Path
		want           Path
		wantErr        string
	}{
		{"the best", "", all, AVX512, ""},
		{"the best of an older machine", "", old, AVX2, ""},
		{"none", "", plain, Generic, ""},
		{"generic wins", "generic", all, Generic, ""},
		{"the best with matrix units", "", units, AMX, ""},
		{"lower", "avx2", all, AVX2, ""},
		{"the best of a newer machine without AVX-512", "", append(old[:len(old):len(old)], AVXVNNI), AVXVNNI, ""},
		{"without products of bytes", "avx2", append(old[:len(old):len(old)], AVXVNNI), AVX2, ""},
		{"avxvnni where absent", "avxvnni", old, AVX2, "not got it"},
		{"without the matrix units", "avx512", units, AVX512, ""},
		{"amx where absent", "amx", all, AVX512, "not got it"},
		{"avx2 where absent", "avx2", plain, Generic, "not got it"},
		{"avx512 where absent", "avx512", old, AVX2, "use one of generic, avx2"},
		{"misspelt keeps the machine's", "avx", all, AVX512, "unknown"},
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

func TestRequired(t *testing.T) {
	want := os.Getenv("REFRAIN_REQUIRE_CPU")
	if want == "" {
		t.Skip("REFRAIN_REQUIRE_CPU is not set")
	}
	if Chosen != Path(want) {
		t.Errorf("%s was required, %s was chosen", want, Chosen)
	}
}

func TestDescribe(t *testing.T) {
	if got := Describe(); !strings.Contains(got, "cores") || strings.ContainsAny(got, "\n\x00") {
		t.Errorf("Describe() = %q, want one line with the number of cores", got)
	}
}
