namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>
/// What instructions of one result compute, on the bits of up to three operands. Arithmetic of floats is there with its rounding (<c>.rn</c>) only:
/// what a device's compiler may fuse as it likes has no one result.
/// </summary>
internal static class PtxFormulas
{
    public delegate ulong Formula(ulong a, ulong b, ulong c);

    public static Formula Find(string opcode) => opcode switch
    {
        "add.s32" or "add.s64" or "add.s16" or "add.u32" or "add.u64" => (a, b, _) => a + b,
        "sub.s32" or "sub.s64" or "sub.u32" => (a, b, _) => a - b,
        "mul.lo.s32" => (a, b, _) => (uint)((int)a * (int)b),
        "mul.lo.s64" => (a, b, _) => a * b,
        "mad.lo.s32" => (a, b, c) => (uint)((int)a * (int)b + (int)c),
        "mad.lo.s64" => (a, b, c) => a * b + c,
        "mul.wide.s32" => (a, b, _) => (ulong)((long)(int)a * (int)b),
        "mad.wide.s32" => (a, b, c) => (ulong)((long)(int)a * (int)b) + c,
        "div.u32" => (a, b, _) => (uint)a / (uint)b,
        "rem.u32" => (a, b, _) => (uint)a % (uint)b,
        "min.s32" => (a, b, _) => (uint)Math.Min((int)a, (int)b),
        "max.s32" => (a, b, _) => (uint)Math.Max((int)a, (int)b),
        "min.s64" => (a, b, _) => (ulong)Math.Min((long)a, (long)b),
        "max.s64" => (a, b, _) => (ulong)Math.Max((long)a, (long)b),
        "and.b32" or "and.b64" or "and.b16" or "and.pred" => (a, b, _) => a & b,
        "or.b32" or "or.b64" or "or.b16" or "or.pred" => (a, b, _) => a | b,
        "xor.b32" or "xor.b64" or "xor.b16" => (a, b, _) => a ^ b,
        "not.pred" => (a, _, _) => a ^ 1,
        "shl.b32" => (a, b, _) => (uint)b > 31 ? 0 : (uint)a << (int)b,
        "shl.b64" => (a, b, _) => a << (int)b,
        "shr.u32" => (a, b, _) => (uint)b > 31 ? 0 : (uint)a >> (int)b,
        "shr.u64" => (a, b, _) => a >> (int)b,
        "cvta.param.u64" => (a, _, _) => a,
        "cvt.s64.s32" => (a, _, _) => (ulong)(int)a,
        "cvt.u32.u64" => (a, _, _) => (uint)a,
        "shf.r.wrap.b32" => (a, b, c) => (uint)((b << 32 | (uint)a) >> (int)(c & 31)),
        "add.f32" or "add.rn.f32" => (a, b, _) => Bits(Float(a) + Float(b)),
        "sub.f32" or "sub.rn.f32" => (a, b, _) => Bits(Float(a) - Float(b)),
        "mul.f32" or "mul.rn.f32" => (a, b, _) => Bits(Float(a) * Float(b)),
        "fma.rn.f32" => (a, b, c) => Bits(MathF.FusedMultiplyAdd(Float(a), Float(b), Float(c))),
        "min.f32" => (a, b, _) => Bits(float.MinNumber(Float(a), Float(b))),
        "max.f32" => (a, b, _) => Bits(float.MaxNumber(Float(a), Float(b))),
        "neg.f32" => (a, _, _) => Bits(-Float(a)),
        "abs.f32" => (a, _, _) => Bits(MathF.Abs(Float(a))),
        "div.rn.f32" => (a, b, _) => Bits(Float(a) / Float(b)),
        "sqrt.rn.f32" => (a, _, _) => Bits(MathF.Sqrt(Float(a))),
        "ex2.approx.ftz.f32" => (a, _, _) => Flushed((float)Math.Pow(2, Flush(a))),
        "lg2.approx.ftz.f32" => (a, _, _) => Flushed(MathF.Log2(Flush(a))),
        "rcp.approx.ftz.f32" => (a, _, _) => Flushed(1 / Flush(a)),
        "cvt.rn.f32.s32" => (a, _, _) => Bits((int)a),
        "cvt.rna.tf32.f32" => (a, _, _) => (a + 0x1000) & 0xffffe000,
        "cvt.rn.tf32.f32" => (a, _, _) => (a + 0xfff + (a >> 13 & 1)) & 0xffffe000,
        "cvt.rn.bf16x2.f32" => (high, low, _) => (ulong)BFloat(high) << 16 | BFloat(low),
        "cvt.rn.f16x2.f32" => (high, low, _) => (ulong)HalfBits(high) << 16 | HalfBits(low),
        "cvt.rn.bf16.f32" => (a, _, _) => BFloat(a),
        "cvt.rn.f16.f32" => (a, _, _) => HalfBits(a),
        "cvt.f32.f16" => (a, _, _) => Bits((float)BitConverter.UInt16BitsToHalf((ushort)a)),
        _ => throw new NotSupportedException(opcode),
    };

    public static Func<ulong, ulong, bool> Relation(string relation, string type) => type switch
    {
        "f32" => Ordered(relation, Float),
        "s64" => Ordered(relation, x => (long)x),
        "u32" => Ordered(relation, x => (uint)x),
        "s32" => Ordered(relation, x => (int)x),
        _ => throw new NotSupportedException(type),
    };

    public static float Float(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    public static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    /// <summary>As <see cref="Float"/> and <see cref="Bits"/>, for instructions that take what is subnormal for zero (<c>.ftz</c>).</summary>
    private static float Flush(ulong bits) => float.IsSubnormal(Float(bits)) ? MathF.CopySign(0, Float(bits)) : Float(bits);

    private static uint Flushed(float value) => Bits(Flush(Bits(value)));

    /// <summary>Nearest bfloat16, ties to even.</summary>
    public static ushort BFloat(ulong bits)
        => float.IsNaN(Float(bits)) ? (ushort)0x7fff : (ushort)((uint)bits + 0x7fff + ((uint)bits >> 16 & 1) >> 16);

    private static ushort HalfBits(ulong bits) => float.IsNaN(Float(bits)) ? (ushort)0x7fff : BitConverter.HalfToUInt16Bits((Half)Float(bits));

    private static Func<ulong, ulong, bool> Ordered<T>(string relation, Func<ulong, T> read)
        where T : System.Numerics.IComparisonOperators<T, T, bool> => relation switch
        {
            "lt" => (a, b) => read(a) < read(b),
            "le" => (a, b) => read(a) <= read(b),
            "gt" => (a, b) => read(a) > read(b),
            "ge" => (a, b) => read(a) >= read(b),
            "eq" => (a, b) => read(a) == read(b),
            "ne" => (a, b) => read(a) != read(b),
            _ => throw new NotSupportedException(relation),
        };
}
