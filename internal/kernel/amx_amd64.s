//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// Go's assembler does not know the instructions of the matrix units. A tile has
// a number of 0 to 7; base and stride are numbers of registers, less 8, from R8 to R13.
#define BASE0 0  // R8
#define BASE1 1  // R9
#define STRIDE 2 // R10
#define B0 3     // R11
#define LINE 4   // R12
#define B1 5     // R13

#define LDTILECFG_AX BYTE $0xc4; BYTE $0xe2; BYTE $0x78; BYTE $0x49; BYTE $0x00
#define TILERELEASE BYTE $0xc4; BYTE $0xe2; BYTE $0x78; BYTE $0x49; BYTE $0xc0
#define TILELOADD(base, stride, tile) BYTE $0xc4; BYTE $0x82; BYTE $0x7b; BYTE $0x4b; BYTE $(0x44 | tile<<3); BYTE $(stride<<3 | base); BYTE $0
#define TILELOADDT1(base, stride, tile) BYTE $0xc4; BYTE $0x82; BYTE $0x79; BYTE $0x4b; BYTE $(0x44 | tile<<3); BYTE $(stride<<3 | base); BYTE $0
#define TILESTORED(tile, base, stride) BYTE $0xc4; BYTE $0x82; BYTE $0x7a; BYTE $0x4b; BYTE $(0x44 | tile<<3); BYTE $(stride<<3 | base); BYTE $0
#define PREFETCHW_R15(distance) BYTE $0x41; BYTE $0x0f; BYTE $0x0d; BYTE $0x4f; BYTE $distance
#define TDPBF16PS(b, a, c) BYTE $0xc4; BYTE $0xe2; BYTE $((15-b)<<3 | 2); BYTE $0x5c; BYTE $(0xc0 | c<<3 | a)

// Tiles 0 to 3 hold C, the second of a row of them 16 columns further on; 4 and 5
// the rows of A, 6 and 7 the panels of B. A row of a tile should not lie in two cache
// lines: loading such tiles takes several times as long. A is read as what will not be
// read again soon, so that the panels stay in the first-level cache. Each block asks
// for two rows of C, to have them when they are to be written.

// In both routines DI keeps w; CX, SI and DX the tile in what C begins with, A and C.
#define BEGIN \
	MOVQ w+0(FP), DI; \
	LEAQ amxWork_config(DI), AX; \
	LDTILECFG_AX; \
	MOVQ $64, R12; \
	MOVQ amxWork_tiles(DI), BX; \
	MOVQ amxWork_a(DI), SI; \
	MOVQ amxWork_c(DI), DX; \
	MOVQ amxWork_from(DI), CX

// HALVES points R8 and R9 at the two halves of a tile's rows, and puts the distance of
// its rows into R10.
#define HALVES(tile, second, row) \
	MOVQ tile, R8; \
	MOVQ tile, R9; \
	ADDQ second(DI), R9; \
	MOVQ row(DI), R10

// func amxTiles32(w *amxWork)
TEXT ·amxTiles32(SB), NOSPLIT, $0-8
	BEGIN

tile:
	HALVES(CX, amxWork_fromSecond, amxWork_fromRow)
	TILELOADD(BASE0, STRIDE, 0)
	TILELOADD(BASE1, STRIDE, 2)
	ADDQ R12, R8
	ADDQ R12, R9
	TILELOADD(BASE0, STRIDE, 1)
	TILELOADD(BASE1, STRIDE, 3)
	ADDQ amxWork_fromTile(DI), CX
	HALVES(SI, amxWork_aSecond, amxWork_aRow)
	MOVQ amxWork_b(DI), R11
	MOVQ R11, R13
	ADDQ amxWork_bPanel(DI), R13
	MOVQ DX, R15
	MOVQ amxWork_blocks(DI), AX

block:
	TILELOADD(B0, LINE, 6)
	TILELOADDT1(BASE0, STRIDE, 4)
	TDPBF16PS(6, 4, 0)
	TILELOADD(B1, LINE, 7)
	TDPBF16PS(7, 4, 1)
	TILELOADDT1(BASE1, STRIDE, 5)
	TDPBF16PS(6, 5, 2)
	TDPBF16PS(7, 5, 3)
	PREFETCHW_R15(0)
	PREFETCHW_R15(64)
	ADDQ amxWork_cRow(DI), R15
	PREFETCHW_R15(0)
	PREFETCHW_R15(64)
	ADDQ amxWork_cRow(DI), R15
	ADDQ amxWork_aBlock(DI), R8
	ADDQ amxWork_aBlock(DI), R9
	ADDQ $1024, R11
	ADDQ $1024, R13
	DECQ AX
	JNZ  block

	HALVES(DX, amxWork_cSecond, amxWork_cRow)
	TILESTORED(0, BASE0, STRIDE)
	TILESTORED(2, BASE1, STRIDE)
	ADDQ R12, R8
	ADDQ R12, R9
	TILESTORED(1, BASE0, STRIDE)
	TILESTORED(3, BASE1, STRIDE)
	ADDQ amxWork_cTile(DI), DX
	ADDQ amxWork_aTile(DI), SI
	DECQ BX
	JNZ  tile
	TILERELEASE
	RET

// func amxTiles16(w *amxWork)
TEXT ·amxTiles16(SB), NOSPLIT, $0-8
	BEGIN

tile:
	HALVES(CX, amxWork_fromSecond, amxWork_fromRow)
	TILELOADD(BASE0, STRIDE, 1)
	TILELOADD(BASE1, STRIDE, 3)
	ADDQ amxWork_fromTile(DI), CX
	HALVES(SI, amxWork_aSecond, amxWork_aRow)
	MOVQ amxWork_b(DI), R13
	MOVQ amxWork_blocks(DI), AX

block:
	TILELOADD(B1, LINE, 7)
	TILELOADDT1(BASE0, STRIDE, 4)
	TDPBF16PS(7, 4, 1)
	TILELOADDT1(BASE1, STRIDE, 5)
	TDPBF16PS(7, 5, 3)
	ADDQ amxWork_aBlock(DI), R8
	ADDQ amxWork_aBlock(DI), R9
	ADDQ $1024, R13
	DECQ AX
	JNZ  block

	HALVES(DX, amxWork_cSecond, amxWork_cRow)
	TILESTORED(1, BASE0, STRIDE)
	TILESTORED(3, BASE1, STRIDE)
	ADDQ amxWork_cTile(DI), DX
	ADDQ amxWork_aTile(DI), SI
	DECQ BX
	JNZ  tile
	TILERELEASE
	RET
