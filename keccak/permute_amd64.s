//go:build amd64 && !purego

#include "textflag.h"

// The lanes of the state are named as in FIPS 202, section 3: axy is A[x, y].
// Both permutations below are made of the same rounds. A register is one lane of
// one state (X, of which only the low word counts) or of eight states (Z).
//
// A round works in place: each row of its output takes the registers of the five
// lanes that it is computed from. Put as out[x'] of row y' into the register of the
// row's input x'+2y', lane (x, y) returns to its register after four rounds.

// ROW computes one row of the output: rho rotates the input lanes b0 to b4 by n0 to
// n4, pi is their choice, chi mixes them into d0 to d4, the same registers.
#define ROW(b0, b1, b2, b3, b4, n0, n1, n2, n3, n4, d0, d1, d2, d3, d4, t0, t1, t2, t3, t4) \
	VPROLQ $n0, b0, t0; \
	VPROLQ $n1, b1, t1; \
	VPROLQ $n2, b2, t2; \
	VPROLQ $n3, b3, t3; \
	VPROLQ $n4, b4, t4; \
	VMOVDQA64 t0, d0; \
	VMOVDQA64 t1, d1; \
	VMOVDQA64 t2, d2; \
	VMOVDQA64 t3, d3; \
	VMOVDQA64 t4, d4; \
	VPTERNLOGQ $0xd2, t2, t1, d0; \
	VPTERNLOGQ $0xd2, t3, t2, d1; \
	VPTERNLOGQ $0xd2, t4, t3, d2; \
	VPTERNLOGQ $0xd2, t0, t4, d3; \
	VPTERNLOGQ $0xd2, t1, t0, d4

// PARITY sets c to the sum of a column.
#define PARITY(b0, b1, b2, b3, b4, c) \
	VMOVDQA64 b0, c; \
	VPTERNLOGQ $0x96, b2, b1, c; \
	VPTERNLOGQ $0x96, b4, b3, c

// SPREAD adds the parities of the columns before (c) and after (d, rotated) to a
// column.
#define SPREAD(b0, b1, b2, b3, b4, c, d, t) \
	VPROLQ $1, d, t; \
	VPTERNLOGQ $0x96, t, c, b0; \
	VPTERNLOGQ $0x96, t, c, b1; \
	VPTERNLOGQ $0x96, t, c, b2; \
	VPTERNLOGQ $0x96, t, c, b3; \
	VPTERNLOGQ $0x96, t, c, b4

// ROUND is one round (FIPS 202, section 3.3) with the constant at k.
#define ROUND(k, a00, a10, a20, a30, a40, a01, a11, a21, a31, a41, a02, a12, a22, a32, a42, a03, a13, a23, a33, a43, a04, a14, a24, a34, a44, t0, t1, t2, t3, t4, t5, t6) \
	PARITY(a00, a01, a02, a03, a04, t0); \
	PARITY(a10, a11, a12, a13, a14, t1); \
	PARITY(a20, a21, a22, a23, a24, t2); \
	PARITY(a30, a31, a32, a33, a34, t3); \
	PARITY(a40, a41, a42, a43, a44, t4); \
	SPREAD(a00, a01, a02, a03, a04, t4, t1, t5); \
	SPREAD(a10, a11, a12, a13, a14, t0, t2, t6); \
	SPREAD(a20, a21, a22, a23, a24, t1, t3, t5); \
	SPREAD(a30, a31, a32, a33, a34, t2, t4, t6); \
	SPREAD(a40, a41, a42, a43, a44, t3, t0, t5); \
	ROW(a00, a11, a22, a33, a44, 0, 44, 43, 21, 14, a00, a11, a22, a33, a44, t0, t1, t2, t3, t4); \
	VPXORQ.BCST k, a00, a00; \
	ROW(a30, a41, a02, a13, a24, 28, 20, 3, 45, 61, a02, a13, a24, a30, a41, t5, t6, t0, t1, t2); \
	ROW(a10, a21, a32, a43, a04, 1, 6, 25, 8, 18, a04, a10, a21, a32, a43, t3, t4, t5, t6, t0); \
	ROW(a40, a01, a12, a23, a34, 27, 36, 10, 15, 56, a01, a12, a23, a34, a40, t1, t2, t3, t4, t5); \
	ROW(a20, a31, a42, a03, a14, 62, 55, 39, 41, 2, a03, a14, a20, a31, a42, t6, t0, t1, t2, t3)

#define ROUNDS4X(k) \
	ROUND(0(k), X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15, X16, X17, X18, X19, X20, X21, X22, X23, X24, X25, X26, X27, X28, X29, X30, X31); \
	ROUND(8(k), X0, X6, X12, X18, X24, X10, X16, X22, X3, X9, X20, X1, X7, X13, X19, X5, X11, X17, X23, X4, X15, X21, X2, X8, X14, X25, X26, X27, X28, X29, X30, X31); \
	ROUND(16(k), X0, X16, X7, X23, X14, X20, X11, X2, X18, X9, X15, X6, X22, X13, X4, X10, X1, X17, X8, X24, X5, X21, X12, X3, X19, X25, X26, X27, X28, X29, X30, X31); \
	ROUND(24(k), X0, X11, X22, X8, X19, X15, X1, X12, X23, X9, X5, X16, X2, X13, X24, X20, X6, X17, X3, X14, X10, X21, X7, X18, X4, X25, X26, X27, X28, X29, X30, X31)

#define ROUNDS4Z(k) \
	ROUND(0(k), Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31); \
	ROUND(8(k), Z0, Z6, Z12, Z18, Z24, Z10, Z16, Z22, Z3, Z9, Z20, Z1, Z7, Z13, Z19, Z5, Z11, Z17, Z23, Z4, Z15, Z21, Z2, Z8, Z14, Z25, Z26, Z27, Z28, Z29, Z30, Z31); \
	ROUND(16(k), Z0, Z16, Z7, Z23, Z14, Z20, Z11, Z2, Z18, Z9, Z15, Z6, Z22, Z13, Z4, Z10, Z1, Z17, Z8, Z24, Z5, Z21, Z12, Z3, Z19, Z25, Z26, Z27, Z28, Z29, Z30, Z31); \
	ROUND(24(k), Z0, Z11, Z22, Z8, Z19, Z15, Z1, Z12, Z23, Z9, Z5, Z16, Z2, Z13, Z24, Z20, Z6, Z17, Z3, Z14, Z10, Z21, Z7, Z18, Z4, Z25, Z26, Z27, Z28, Z29, Z30, Z31)

// The constants of iota (FIPS 202, section 3.2.5).
DATA iota<>+0(SB)/8, $0x0000000000000001
DATA iota<>+8(SB)/8, $0x0000000000008082
DATA iota<>+16(SB)/8, $0x800000000000808a
DATA iota<>+24(SB)/8, $0x8000000080008000
DATA iota<>+32(SB)/8, $0x000000000000808b
DATA iota<>+40(SB)/8, $0x0000000080000001
DATA iota<>+48(SB)/8, $0x8000000080008081
DATA iota<>+56(SB)/8, $0x8000000000008009
DATA iota<>+64(SB)/8, $0x000000000000008a
DATA iota<>+72(SB)/8, $0x0000000000000088
DATA iota<>+80(SB)/8, $0x0000000080008009
DATA iota<>+88(SB)/8, $0x000000008000000a
DATA iota<>+96(SB)/8, $0x000000008000808b
DATA iota<>+104(SB)/8, $0x800000000000008b
DATA iota<>+112(SB)/8, $0x8000000000008089
DATA iota<>+120(SB)/8, $0x8000000000008003
DATA iota<>+128(SB)/8, $0x8000000000008002
DATA iota<>+136(SB)/8, $0x8000000000000080
DATA iota<>+144(SB)/8, $0x000000000000800a
DATA iota<>+152(SB)/8, $0x800000008000000a
DATA iota<>+160(SB)/8, $0x8000000080008081
DATA iota<>+168(SB)/8, $0x8000000000008080
DATA iota<>+176(SB)/8, $0x0000000080000001
DATA iota<>+184(SB)/8, $0x8000000080008008
GLOBL iota<>(SB), NOPTR|RODATA, $192

#define LANE(i, r) \
	VMOVQ (8*i)(SI), X25; \
	VPXORQ X25, r, r

// func absorb1(state *[25]uint64, blocks *byte, n int)
TEXT ·absorb1(SB), NOSPLIT, $0-24
	MOVQ state+0(FP), DI
	MOVQ blocks+8(FP), SI
	MOVQ n+16(FP), CX
	VMOVQ 0(DI), X0
	VMOVQ 8(DI), X1
	VMOVQ 16(DI), X2
	VMOVQ 24(DI), X3
	VMOVQ 32(DI), X4
	VMOVQ 40(DI), X5
	VMOVQ 48(DI), X6
	VMOVQ 56(DI), X7
	VMOVQ 64(DI), X8
	VMOVQ 72(DI), X9
	VMOVQ 80(DI), X10
	VMOVQ 88(DI), X11
	VMOVQ 96(DI), X12
	VMOVQ 104(DI), X13
	VMOVQ 112(DI), X14
	VMOVQ 120(DI), X15
	VMOVQ 128(DI), X16
	VMOVQ 136(DI), X17
	VMOVQ 144(DI), X18
	VMOVQ 152(DI), X19
	VMOVQ 160(DI), X20
	VMOVQ 168(DI), X21
	VMOVQ 176(DI), X22
	VMOVQ 184(DI), X23
	VMOVQ 192(DI), X24

block:
	LANE(0, X0)
	LANE(1, X1)
	LANE(2, X2)
	LANE(3, X3)
	LANE(4, X4)
	LANE(5, X5)
	LANE(6, X6)
	LANE(7, X7)
	LANE(8, X8)
	LANE(9, X9)
	LANE(10, X10)
	LANE(11, X11)
	LANE(12, X12)
	LANE(13, X13)
	LANE(14, X14)
	LANE(15, X15)
	LANE(16, X16)
	LEAQ iota<>(SB), AX
	LEAQ 192(AX), DX

rounds:
	ROUNDS4X(AX)
	ADDQ $32, AX
	CMPQ AX, DX
	JB   rounds
	ADDQ $136, SI
	DECQ CX
	JNZ  block

	VMOVQ X0, 0(DI)
	VMOVQ X1, 8(DI)
	VMOVQ X2, 16(DI)
	VMOVQ X3, 24(DI)
	VMOVQ X4, 32(DI)
	VMOVQ X5, 40(DI)
	VMOVQ X6, 48(DI)
	VMOVQ X7, 56(DI)
	VMOVQ X8, 64(DI)
	VMOVQ X9, 72(DI)
	VMOVQ X10, 80(DI)
	VMOVQ X11, 88(DI)
	VMOVQ X12, 96(DI)
	VMOVQ X13, 104(DI)
	VMOVQ X14, 112(DI)
	VMOVQ X15, 120(DI)
	VMOVQ X16, 128(DI)
	VMOVQ X17, 136(DI)
	VMOVQ X18, 144(DI)
	VMOVQ X19, 152(DI)
	VMOVQ X20, 160(DI)
	VMOVQ X21, 168(DI)
	VMOVQ X22, 176(DI)
	VMOVQ X23, 184(DI)
	VMOVQ X24, 192(DI)
	VZEROUPPER
	RET

// TURN transposes words 8g to 8g+7 of the eight blocks and adds them to the state.
#define TURN(g) \
	VMOVDQU64 (64*g)(AX), Z0; \
	VMOVDQU64 (64*g)(BX), Z1; \
	VMOVDQU64 (64*g)(CX), Z2; \
	VMOVDQU64 (64*g)(DX), Z3; \
	VMOVDQU64 (64*g)(R8), Z4; \
	VMOVDQU64 (64*g)(R9), Z5; \
	VMOVDQU64 (64*g)(R10), Z6; \
	VMOVDQU64 (64*g)(R11), Z7; \
	VPUNPCKLQDQ Z1, Z0, Z8; \
	VPUNPCKHQDQ Z1, Z0, Z9; \
	VPUNPCKLQDQ Z3, Z2, Z10; \
	VPUNPCKHQDQ Z3, Z2, Z11; \
	VPUNPCKLQDQ Z5, Z4, Z12; \
	VPUNPCKHQDQ Z5, Z4, Z13; \
	VPUNPCKLQDQ Z7, Z6, Z14; \
	VPUNPCKHQDQ Z7, Z6, Z15; \
	TURN4(g, 0, Z8, Z10, Z12, Z14); \
	TURN4(g, 1, Z9, Z11, Z13, Z15)

// TURN4 does the words 8g+h, 8g+h+2, 8g+h+4 and 8g+h+6.
#define TURN4(g, h, a, b, c, d) \
	VSHUFI64X2 $0x88, b, a, Z16; \
	VSHUFI64X2 $0xdd, b, a, Z17; \
	VSHUFI64X2 $0x88, d, c, Z18; \
	VSHUFI64X2 $0xdd, d, c, Z19; \
	VSHUFI64X2 $0x88, Z18, Z16, Z20; \
	VSHUFI64X2 $0x88, Z19, Z17, Z21; \
	VSHUFI64X2 $0xdd, Z18, Z16, Z22; \
	VSHUFI64X2 $0xdd, Z19, Z17, Z23; \
	VPXORQ (64*(8*g+h))(DI), Z20, Z20; \
	VPXORQ (64*(8*g+h+2))(DI), Z21, Z21; \
	VPXORQ (64*(8*g+h+4))(DI), Z22, Z22; \
	VPXORQ (64*(8*g+h+6))(DI), Z23, Z23; \
	VMOVDQU64 Z20, (64*(8*g+h))(DI); \
	VMOVDQU64 Z21, (64*(8*g+h+2))(DI); \
	VMOVDQU64 Z22, (64*(8*g+h+4))(DI); \
	VMOVDQU64 Z23, (64*(8*g+h+6))(DI)

#define LAST(i, r) \
	MOVQ 128(r), R12; \
	XORQ R12, (1024+8*i)(DI)

// func absorb8(state *[25][8]uint64, blocks *[8]*byte)
TEXT ·absorb8(SB), NOSPLIT, $0-16
	MOVQ state+0(FP), DI
	MOVQ blocks+8(FP), SI
	MOVQ 0(SI), AX
	MOVQ 8(SI), BX
	MOVQ 16(SI), CX
	MOVQ 24(SI), DX
	MOVQ 32(SI), R8
	MOVQ 40(SI), R9
	MOVQ 48(SI), R10
	MOVQ 56(SI), R11
	LAST(0, AX)
	LAST(1, BX)
	LAST(2, CX)
	LAST(3, DX)
	LAST(4, R8)
	LAST(5, R9)
	LAST(6, R10)
	LAST(7, R11)
	TURN(0)
	TURN(1)

	VMOVDQU64 0(DI), Z0
	VMOVDQU64 64(DI), Z1
	VMOVDQU64 128(DI), Z2
	VMOVDQU64 192(DI), Z3
	VMOVDQU64 256(DI), Z4
	VMOVDQU64 320(DI), Z5
	VMOVDQU64 384(DI), Z6
	VMOVDQU64 448(DI), Z7
	VMOVDQU64 512(DI), Z8
	VMOVDQU64 576(DI), Z9
	VMOVDQU64 640(DI), Z10
	VMOVDQU64 704(DI), Z11
	VMOVDQU64 768(DI), Z12
	VMOVDQU64 832(DI), Z13
	VMOVDQU64 896(DI), Z14
	VMOVDQU64 960(DI), Z15
	VMOVDQU64 1024(DI), Z16
	VMOVDQU64 1088(DI), Z17
	VMOVDQU64 1152(DI), Z18
	VMOVDQU64 1216(DI), Z19
	VMOVDQU64 1280(DI), Z20
	VMOVDQU64 1344(DI), Z21
	VMOVDQU64 1408(DI), Z22
	VMOVDQU64 1472(DI), Z23
	VMOVDQU64 1536(DI), Z24
	LEAQ iota<>(SB), AX
	LEAQ 192(AX), DX

rounds:
	ROUNDS4Z(AX)
	ADDQ $32, AX
	CMPQ AX, DX
	JB   rounds

	VMOVDQU64 Z0, 0(DI)
	VMOVDQU64 Z1, 64(DI)
	VMOVDQU64 Z2, 128(DI)
	VMOVDQU64 Z3, 192(DI)
	VMOVDQU64 Z4, 256(DI)
	VMOVDQU64 Z5, 320(DI)
	VMOVDQU64 Z6, 384(DI)
	VMOVDQU64 Z7, 448(DI)
	VMOVDQU64 Z8, 512(DI)
	VMOVDQU64 Z9, 576(DI)
	VMOVDQU64 Z10, 640(DI)
	VMOVDQU64 Z11, 704(DI)
	VMOVDQU64 Z12, 768(DI)
	VMOVDQU64 Z13, 832(DI)
	VMOVDQU64 Z14, 896(DI)
	VMOVDQU64 Z15, 960(DI)
	VMOVDQU64 Z16, 1024(DI)
	VMOVDQU64 Z17, 1088(DI)
	VMOVDQU64 Z18, 1152(DI)
	VMOVDQU64 Z19, 1216(DI)
	VMOVDQU64 Z20, 1280(DI)
	VMOVDQU64 Z21, 1344(DI)
	VMOVDQU64 Z22, 1408(DI)
	VMOVDQU64 Z23, 1472(DI)
	VMOVDQU64 Z24, 1536(DI)
	VZEROUPPER
	RET
