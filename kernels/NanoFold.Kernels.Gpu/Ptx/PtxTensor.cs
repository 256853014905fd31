namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>
/// Tensor-core instructions and the conversions that feed them. With g = lane / 4 and t = lane % 4 a warp holds of
/// the sums [16, 8]: d0, d1 at (g, 2t), (g, 2t + 1), d2, d3 eight rows below; of 16-bit a [16, 16] in pairs along k: a0 (g, 2t), a1 (g + 8, 2t), a2 (g, 2t + 8), a3 (g + 8, 2t + 8);
/// of b [16, 8]: b0 (k 2t, n g), b1 (k 2t + 8, n g). For tf32, a [16, 8]: a0 (g, t), a1 (g + 8, t), a2 (g, t + 4), a3 (g + 8, t + 4); b [8, 8]: b0 (k t, n g), b1 (k t + 4, n g).
/// </summary>
internal static class PtxTensor
{
    /// <summary>
    /// Loads 1, 2 or 4 matrices of 8 rows of 16 bytes from shared memory: lanes 8i .. 8i + 7 give the addresses of matrix i's rows, each a multiple of 16 bytes.
    /// A lane receives of matrix i the 32 bits at (row g, bytes 4t ..), or with <paramref name="transpose"/> the 16-bit elements (rows 2t and 2t + 1, column g).
    /// </summary>
    public static Reg[] LoadMatrix(this PtxWriter w, int count, bool transpose, Reg address, int offset = 0)
    {
        Reg[] values = w.New(RegKind.B32, count);
        string at = offset == 0 ? $"[{address}]" : $"[{address}+{offset}]";
        w.Emit($"ldmatrix.sync.aligned.m8n8.x{count}{(transpose ? ".trans" : "")}.shared.b16 {{{PtxMemory.Join(values)}}}, {at}");
        return values;
    }

    /// <summary>sums += a · b. 16-bit types take 16 of k (4 registers of a, 2 of b), Float32 operands count as tf32 and take 8.</summary>
    public static void MultiplyAccumulate(this PtxWriter w, GpuType type, ReadOnlySpan<Reg> sums, ReadOnlySpan<Reg> a, ReadOnlySpan<Reg> b)
    {
        string d = PtxMemory.Join(sums);
        string shape = type == GpuType.Float32 ? "m16n8k8" : "m16n8k16", name = type switch
        {
            GpuType.Float32 => "tf32",
            GpuType.BFloat16 => "bf16",
            _ => "f16",
        };
        w.Emit($"mma.sync.aligned.{shape}.row.col.f32.{name}.{name}.f32 {{{d}}}, {{{PtxMemory.Join(a)}}}, {{{PtxMemory.Join(b)}}}, {{{d}}}");
    }

    /// <summary>
    /// Rounds a float to tf32 in a 32-bit register; NaN stays NaN. From compute capability 9.0 on this is one instruction (halves to even). Before, half a unit
    /// of the last bit is added and the tensor core cuts off the rest (halves away from zero): the same as cvt.rna.tf32.f32, which newer devices emulate with three instructions.
    /// </summary>
    public static Reg RoundTensorFloat(this PtxWriter w, Reg bits)
    {
        if (w.Target >= 90)
        {
            return w.Op(RegKind.B32, "cvt.rn.tf32.f32", w.Reinterpret(bits));
        }

        Reg scale = w.Reinterpret(w.And(bits, 0xff800000u)), value = w.Reinterpret(bits);
        return w.Reinterpret(w.Mad(scale, 1f / 2048, value));
    }

    /// <summary>Two floats as a pair of 16-bit elements, <paramref name="low"/> first in memory.</summary>
    public static Reg Pack(this PtxWriter w, GpuType type, Reg low, Reg high)
    {
        if (w.Target >= 80)
        {
            return w.Op(RegKind.B32, type == GpuType.BFloat16 ? "cvt.rn.bf16x2.f32" : "cvt.rn.f16x2.f32", high, low);
        }

        Reg pair = w.New(RegKind.B32);
        w.Emit($"mov.b32 {pair}, {{{w.Narrow(type, low)}, {w.Narrow(type, high)}}}");
        return pair;
    }

    /// <summary>A float as one 16-bit element.</summary>
    public static Reg Narrow(this PtxWriter w, GpuType type, Reg value)
    {
        if (type == GpuType.Float16)
        {
            return w.Op(RegKind.B16, "cvt.rn.f16.f32", value);
        }

        if (w.Target >= 80)
        {
            return w.Op(RegKind.B16, "cvt.rn.bf16.f32", value);
        }

        Reg bits = w.Reinterpret(value), odd = w.And(w.Shr(bits, 16), 1);
        Reg rounded = w.Add(w.Add(bits, 0x7fff), odd);
        Reg isNumber = w.Compare("le", w.Reinterpret(w.And(bits, 0x7fffffff)), float.PositiveInfinity);
        Reg low = w.New(RegKind.B16), high = w.New(RegKind.B16);
        w.Emit($"mov.b32 {{{low}, {high}}}, {w.Select(isNumber, rounded, 0x7fffffff)}");
        return high;
    }

    /// <summary>A 16-bit element as a float.</summary>
    public static Reg Widen(this PtxWriter w, GpuType type, Reg element)
    {
        if (type == GpuType.Float16)
        {
            return w.Op(RegKind.F32, "cvt.f32.f16", element);
        }

        Reg bits = w.New(RegKind.B32);
        w.Emit($"mov.b32 {bits}, {{{w.Op(RegKind.B16, "mov.b16", 0)}, {element}}}");
        return w.Reinterpret(bits);
    }

    /// <summary>A pair of 16-bit elements as two floats.</summary>
    public static (Reg Low, Reg High) Unpack(this PtxWriter w, GpuType type, Reg pair)
    {
        if (type == GpuType.BFloat16)
        {
            return (w.Reinterpret(w.Shl(pair, 16)), w.Reinterpret(w.And(pair, 0xffff0000u)));
        }

        Reg low = w.New(RegKind.B16), high = w.New(RegKind.B16);
        w.Emit($"mov.b32 {{{low}, {high}}}, {pair}");
        return (w.Widen(type, low), w.Widen(type, high));
    }
}
