// Package kernel holds the arithmetic that decides how fast everything is:
// matrix products, fused gates, softmax with cross-entropy, optimizer passes.
// It knows nothing of layers or models.
//
// Every routine's doc comment is its contract, and the plain Go body with the
// suffix Generic is that contract in code; it compiles everywhere and the tests
// hold the assembly to it. All matrices are float32, row-major, with a leading
// dimension (ld) that counts elements from one row to the next. A routine is
// single-threaded unless it takes a *parallel.Pool, where nil means one thread.
//
// Four paths exist: plain Go; AVX2 with FMA; AVX-512, which has larger tiles for
// products, and elementwise routines that begin as the AVX2 ones and go on in
// wider registers; and NEON, whose routines the generator translates from the AVX2
// ones, two registers for one. [setPath] holds the choice, made once at start by
// package cpu.
//
// # Arithmetic
//
// Each element of a product is one chain of multiply-adds, k ascending, which
// continues from what C held. Neither the tile that computes an element, nor
// the number of rows, threads or panels, nor blocking over k changes that, so
// it does not change a bit. With assembly the chain is fused; the generic body
// leaves that to the compiler, which fuses on arm64 and not on amd64.
//
// Training may round both operands of its products to bfloat16 ([Pairs]), two
// steps of k in a word: the chain is one of words, in float32, and the same holds
// for it. Processors may round the two products of a word differently; so the
// bits are those of one kind of processor, and plain Go agrees within a bound.
//
// Weights may be kept in fewer bits ([Storage]); a [Packed] knows how, and a
// product looks the same. With BFloat16 its bits are those of float32 with the
// rounded weights. With Int8 the left rows are rounded too, each by itself; sums
// of bytes are exact in 32 bits (no instruction that saturates can), and three
// roundings in a fixed order end an element, so that its bits are the same on
// every path. These routines are for amd64, with VNNI where AVX-512 has it;
// elsewhere their plain Go bodies run.
//
// Elementwise functions give an element the same bits wherever it lies in a
// row. Sums are trees fixed by the length alone.
package kernel
