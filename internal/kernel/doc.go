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
// Six paths exist: plain Go; AVX2 with FMA; AVX-VNNI, which is AVX2 with an
// instruction for products of bytes; AVX-512, which has larger tiles for products, and
// elementwise routines that begin as the AVX2 ones and go on in wider registers; AMX,
// which is AVX-512 with matrix units for the products of bfloat16 in training; and
// NEON, whose routines the generator translates from the AVX2 ones, two registers for
// one. [setPath] holds the choice, made once at start by package cpu.
//
// # Map
//
//   - gemm.go: [Gemm], [GemmPool], [Affine], [GemmEach]; gemmtn.go: [GemmTNEach], the
//     gradients of weights, which also takes those of biases in passing. gemmblocks.go
//     walks through caches, gemmwide.go with the tiles of AVX-512, gemmgeneric.go
//     is plain Go; packed.go lays out the right operand.
//   - gemmpairs.go: products of bfloat16 for training, amx_amd64.go with the matrix
//     units; compact.go, gemmint8.go, gemmhalf.go: weights in fewer bits.
//   - lstmgates.go, grugates.go, rnngate.go, norm.go, exp.go: a step of a cell
//     behind its product, forwards and back.
//   - softmax.go, optimizer.go, sums.go, vector.go, dropout.go: what the names say.
//   - buffer.go: memory for all of them; peaks.go: the limits they are measured by.
//
// # Another path
//
// A path is a value of cpu.Path, found by package cpu, and flags in setPath. It
// begins with tiles: a microkernel of the signature in gemmwide.go or gemmblocks.go,
// written by asm, is all that a product needs; elementwise routines may follow one
// by one, and those that do not run the lower path's. eachBackend in the tests
// then holds every routine to its plain Go body, and train's TestOneHash to the
// bits of the other paths.
//
// # Limits
//
// Tiles whose operands lie in the first two caches are near the limit of a core; a
// training step loses what lies around them: gates and softmax, packing, the first
// touch of memory, and on two threads what both read from the third cache and
// memory. A recurrent step with few rows is bound by reading its weights. refrain
// bench prints the share of the peak over the whole step for this machine,
// bench/RESULTS.md has some machines beside PyTorch.
//
// Three passes stay apart though they could be fused, because a profile gives them
// too little to pay for the tangle: the norm of the gradients reads four bytes a
// parameter once more, about a hundredth of a step of the largest model with a
// small batch and less elsewhere; the gates find preactivations in the second
// cache, where the product before left them, and cost as much arithmetic in its
// tail; operands are packed by the products that take them, 3 to 6 % of a step of
// 1x128 over 10,000 words and 10 % in bfloat16, where what writes the gradient of
// logits would have to write it along rows and along columns, in each path's layout.
//
// # Matrix units
//
// The registers of AMX are configured and released within one call of assembly, which
// Go never interrupts; the kernel saves them across signals. A call is a tile's rows
// of one or two panels, microseconds. Package cpu asks Linux for the registers at
// start. Tiles are 32 rows by 32 columns in four registers, over blocks of sixteen
// words of both operands, whose ends are filled up with zeros. Where operands lie in
// the first-level cache the four products of a block bound it; operands from further
// away, and rows of C that begin within a cache line, cost more.
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
// for it. Processors may round the two products of a word differently, and the matrix
// units sum up sixteen words before they add to the chain; so the bits are those of
// one kind of processor, and plain Go agrees within a bound.
//
// Weights may be kept in fewer bits ([Storage]); a [Packed] knows how, and a
// product looks the same. With BFloat16 its bits are those of float32 with the
// rounded weights. With Int8 the left rows are rounded too, each by itself; sums
// of bytes are exact in 32 bits (no instruction that saturates can), and three
// roundings in a fixed order end an element, so that its bits are the same on
// every path. These routines are for amd64, with VNNI where AVX2 or AVX-512 has it;
// elsewhere their plain Go bodies run.
//
// Elementwise functions give an element the same bits wherever it lies in a
// row. Sums are trees fixed by the length alone.
package kernel
