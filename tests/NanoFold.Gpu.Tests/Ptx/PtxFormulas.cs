using System.Numerics;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>
/// What instructions of one result compute, on the bits of up to three operands. Arithmetic of floats is there with its rounding (<c>.rn</c>) only:
/// what a device's compiler may fuse as it likes has no one result.
/// </summary>
internal static class PtxFormulas
{
    /// <summary>Computes the active lanes of a register, cut to the bits that it has.</summary>
    public delegate void Formula(Span<ulong> result, ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b, ReadOnlySpan<ulong> c, uint active, ulong bits);

    private interface IFormula
    {
        static abstract ulong Of(ulong a, ulong b, ulong c);
    }

    private interface IReader<T>
    {
        static abstract T Read(ulong bits);
    }

    private interface IRelation
    {
        static abstract bool Holds<T>(T a, T b)
            where T : IComparisonOperators<T, T, bool>;
    }

    /// <summary>Moves the first operand.</summary>
    public static Formula Move { get; } = Each<First>;

    /// <summary>The first operand where the third is true, else the second.</summary>
    public static Formula Select { get; } = Each<Chosen>;

    public static Formula Find(string opcode) => opcode switch
    {
        "add.s32" or "add.s64" or "add.s16" or "add.u32" or "add.u64" => Each<Add>,
        "sub.s32" or "sub.s64" or "sub.u32" => Each<Subtract>,
        "mul.lo.s32" or "mul.lo.s64" => Each<Multiply>,
        "mad.lo.s32" or "mad.lo.s64" => Each<MultiplyAdd>,
        "mul.wide.s32" => Each<MultiplyWide>,
        "mad.wide.s32" => Each<MultiplyWideAdd>,
        "div.u32" => Each<Divide>,
        "rem.u32" => Each<Remainder>,
        "min.s32" => Each<Least<int, AsInt32>>,
        "max.s32" => Each<Most<int, AsInt32>>,
        "min.s64" => Each<Least<long, AsInt64>>,
        "max.s64" => Each<Most<long, AsInt64>>,
        "and.b32" or "and.b64" or "and.b16" or "and.pred" => Each<And>,
        "or.b32" or "or.b64" or "or.b16" or "or.pred" => Each<Or>,
        "xor.b32" or "xor.b64" or "xor.b16" => Each<Xor>,
        "not.pred" => Each<Not>,
        "shl.b32" => Each<ShiftLeft>,
        "shl.b64" => Each<ShiftLeftWide>,
        "shr.u32" => Each<ShiftRight>,
        "shr.u64" => Each<ShiftRightWide>,
        "cvta.param.u64" => Each<First>,
        "cvt.u32.u64" => Each<Low>,
        "cvt.s64.s32" => Each<SignExtended>,
        "shf.r.wrap.b32" => Each<FunnelRight>,
        "add.f32" or "add.rn.f32" => Each<AddFloat>,
        "sub.f32" or "sub.rn.f32" => Each<SubtractFloat>,
        "mul.f32" or "mul.rn.f32" => Each<MultiplyFloat>,
        "fma.rn.f32" => Each<FusedFloat>,
        "min.f32" => Each<LeastFloat>,
        "max.f32" => Each<MostFloat>,
        "neg.f32" => Each<NegativeFloat>,
        "abs.f32" => Each<AbsoluteFloat>,
        "div.rn.f32" => Each<DivideFloat>,
        "sqrt.rn.f32" => Each<RootFloat>,
        "ex2.approx.ftz.f32" => Each<PowerOfTwo>,
        "lg2.approx.ftz.f32" => Each<LogarithmOfTwo>,
        "rcp.approx.ftz.f32" => Each<Reciprocal>,
        "cvt.rn.f32.s32" => Each<FloatOfInteger>,
        "cvt.rna.tf32.f32" => Each<TensorAway>,
        "cvt.rn.tf32.f32" => Each<TensorNearest>,
        "cvt.rn.bf16x2.f32" => Each<BFloatPair>,
        "cvt.rn.f16x2.f32" => Each<HalfPair>,
        "cvt.rn.bf16.f32" => Each<OneBFloat>,
        "cvt.rn.f16.f32" => Each<OneHalf>,
        "cvt.f32.f16" => Each<FloatOfHalf>,
        _ => throw new NotSupportedException(opcode),
    };

    /// <summary>Whether two operands are in a relation.</summary>
    public static Formula Relation(string relation, string type) => type switch
    {
        "f32" => Relation<float, AsSingle>(relation),
        "s64" => Relation<long, AsInt64>(relation),
        "u32" => Relation<uint, AsUInt32>(relation),
        "s32" => Relation<int, AsInt32>(relation),
        _ => throw new NotSupportedException(type),
    };

    public static float Float(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    public static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    /// <summary>Nearest bfloat16, ties to even.</summary>
    public static ushort BFloat(ulong bits)
        => float.IsNaN(Float(bits)) ? (ushort)0x7fff : (ushort)((uint)bits + 0x7fff + ((uint)bits >> 16 & 1) >> 16);

    private static ushort HalfBits(ulong bits) => float.IsNaN(Float(bits)) ? (ushort)0x7fff : BitConverter.HalfToUInt16Bits((Half)Float(bits));

    /// <summary>As <see cref="Float"/> and <see cref="Bits"/>, for instructions that take what is subnormal for zero (<c>.ftz</c>).</summary>
    private static float Flush(ulong bits) => float.IsSubnormal(Float(bits)) ? MathF.CopySign(0, Float(bits)) : Float(bits);

    private static uint Flushed(float value) => Bits(Flush(Bits(value)));

    private static Formula Relation<T, TReader>(string relation)
        where T : IComparisonOperators<T, T, bool>
        where TReader : IReader<T> => relation switch
        {
            "lt" => Each<Is<T, TReader, Less>>,
            "le" => Each<Is<T, TReader, LessOrEqual>>,
            "gt" => Each<Is<T, TReader, Greater>>,
            "ge" => Each<Is<T, TReader, GreaterOrEqual>>,
            "eq" => Each<Is<T, TReader, Equal>>,
            "ne" => Each<Is<T, TReader, Different>>,
            _ => throw new NotSupportedException(relation),
        };

    private static void Each<T>(Span<ulong> result, ReadOnlySpan<ulong> a, ReadOnlySpan<ulong> b, ReadOnlySpan<ulong> c, uint active, ulong bits)
        where T : IFormula
    {
        if (active == uint.MaxValue)
        {
            Span<ulong> all = result[..PtxWarp.Lanes];
            ReadOnlySpan<ulong> first = a[..PtxWarp.Lanes], second = b[..PtxWarp.Lanes], third = c[..PtxWarp.Lanes];
            for (int lane = 0; lane < PtxWarp.Lanes; lane++)
            {
                all[lane] = T.Of(first[lane], second[lane], third[lane]) & bits;
            }

            return;
        }

        for (uint left = active; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            result[lane] = T.Of(a[lane], b[lane], c[lane]) & bits;
        }
    }

    private readonly struct First : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a; }

    private readonly struct Low : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (uint)a; }

    private readonly struct Chosen : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => c != 0 ? a : b; }

    private readonly struct Add : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a + b; }

    private readonly struct Subtract : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a - b; }

    private readonly struct Multiply : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a * b; }

    private readonly struct MultiplyAdd : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a * b + c; }

    private readonly struct MultiplyWide : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (ulong)((long)(int)a * (int)b); }

    private readonly struct MultiplyWideAdd : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (ulong)((long)(int)a * (int)b) + c; }

    private readonly struct Divide : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (uint)a / (uint)b; }

    private readonly struct Remainder : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (uint)a % (uint)b; }

    private readonly struct And : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a & b; }

    private readonly struct Or : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a | b; }

    private readonly struct Xor : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a ^ b; }

    private readonly struct Not : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a ^ 1; }

    private readonly struct ShiftLeft : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (uint)b > 31 ? 0 : (uint)a << (int)b; }

    private readonly struct ShiftLeftWide : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a << (int)b; }

    private readonly struct ShiftRight : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (uint)b > 31 ? 0 : (uint)a >> (int)b; }

    private readonly struct ShiftRightWide : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => a >> (int)b; }

    private readonly struct SignExtended : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (ulong)(int)a; }

    private readonly struct FunnelRight : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (uint)((b << 32 | (uint)a) >> (int)(c & 31)); }

    private readonly struct AddFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(Float(a) + Float(b)); }

    private readonly struct SubtractFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(Float(a) - Float(b)); }

    private readonly struct MultiplyFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(Float(a) * Float(b)); }

    private readonly struct FusedFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(MathF.FusedMultiplyAdd(Float(a), Float(b), Float(c))); }

    private readonly struct LeastFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(float.MinNumber(Float(a), Float(b))); }

    private readonly struct MostFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(float.MaxNumber(Float(a), Float(b))); }

    private readonly struct NegativeFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(-Float(a)); }

    private readonly struct AbsoluteFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(MathF.Abs(Float(a))); }

    private readonly struct DivideFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(Float(a) / Float(b)); }

    private readonly struct RootFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits(MathF.Sqrt(Float(a))); }

    private readonly struct PowerOfTwo : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Flushed((float)Math.Pow(2, Flush(a))); }

    private readonly struct LogarithmOfTwo : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Flushed(MathF.Log2(Flush(a))); }

    private readonly struct Reciprocal : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Flushed(1 / Flush(a)); }

    private readonly struct FloatOfInteger : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits((int)a); }

    private readonly struct TensorAway : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (a + 0x1000) & 0xffffe000; }

    private readonly struct TensorNearest : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (a + 0xfff + (a >> 13 & 1)) & 0xffffe000; }

    private readonly struct BFloatPair : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (ulong)BFloat(a) << 16 | BFloat(b); }

    private readonly struct HalfPair : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => (ulong)HalfBits(a) << 16 | HalfBits(b); }

    private readonly struct OneBFloat : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => BFloat(a); }

    private readonly struct OneHalf : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => HalfBits(a); }

    private readonly struct FloatOfHalf : IFormula { public static ulong Of(ulong a, ulong b, ulong c) => Bits((float)BitConverter.UInt16BitsToHalf((ushort)a)); }

    private readonly struct Least<T, TReader> : IFormula
        where T : IComparisonOperators<T, T, bool>
        where TReader : IReader<T>
    {
        public static ulong Of(ulong a, ulong b, ulong c) => TReader.Read(a) < TReader.Read(b) ? a : b;
    }

    private readonly struct Most<T, TReader> : IFormula
        where T : IComparisonOperators<T, T, bool>
        where TReader : IReader<T>
    {
        public static ulong Of(ulong a, ulong b, ulong c) => TReader.Read(a) > TReader.Read(b) ? a : b;
    }

    private readonly struct Is<T, TReader, TRelation> : IFormula
        where T : IComparisonOperators<T, T, bool>
        where TReader : IReader<T>
        where TRelation : IRelation
    {
        public static ulong Of(ulong a, ulong b, ulong c) => TRelation.Holds(TReader.Read(a), TReader.Read(b)) ? 1u : 0u;
    }

    private readonly struct Less : IRelation { public static bool Holds<T>(T a, T b) where T : IComparisonOperators<T, T, bool> => a < b; }

    private readonly struct LessOrEqual : IRelation { public static bool Holds<T>(T a, T b) where T : IComparisonOperators<T, T, bool> => a <= b; }

    private readonly struct Greater : IRelation { public static bool Holds<T>(T a, T b) where T : IComparisonOperators<T, T, bool> => a > b; }

    private readonly struct GreaterOrEqual : IRelation { public static bool Holds<T>(T a, T b) where T : IComparisonOperators<T, T, bool> => a >= b; }

    private readonly struct Equal : IRelation { public static bool Holds<T>(T a, T b) where T : IComparisonOperators<T, T, bool> => a == b; }

    private readonly struct Different : IRelation { public static bool Holds<T>(T a, T b) where T : IComparisonOperators<T, T, bool> => a != b; }

    private readonly struct AsSingle : IReader<float> { public static float Read(ulong bits) => Float(bits); }

    private readonly struct AsInt32 : IReader<int> { public static int Read(ulong bits) => (int)bits; }

    private readonly struct AsUInt32 : IReader<uint> { public static uint Read(ulong bits) => (uint)bits; }

    private readonly struct AsInt64 : IReader<long> { public static long Read(ulong bits) => (long)bits; }
}
