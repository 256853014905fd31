namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>Arithmetic, comparison and conversion; the type of an instruction follows from its first register, 32-bit integers being signed.</summary>
/// <remarks>
/// Floats are rounded after each operation (<c>.rn</c>): without it the driver may fuse a product and a sum, and a · s − b · s of equal a and b
/// is what rounding left of it, not 0. What is to be fused is written with <see cref="Mad"/>.
/// </remarks>
internal static class PtxArithmetic
{
    public static Reg Add(this PtxWriter w, Reg a, Operand b) => w.Op(a.Kind, $"add.{Rounded(a)}", a, b);

    public static Reg Sub(this PtxWriter w, Reg a, Operand b) => w.Op(a.Kind, $"sub.{Rounded(a)}", a, b);

    public static Reg Mul(this PtxWriter w, Reg a, Operand b) => w.Op(a.Kind, a.Kind == RegKind.F32 ? "mul.rn.f32" : $"mul.lo.{Type(a)}", a, b);

    /// <summary>−a, of a float; costs nothing as an operand of another instruction.</summary>
    public static Reg Negate(this PtxWriter w, Reg a) => w.Op(RegKind.F32, "neg.f32", a);

    /// <summary>a · b + c: one rounding in float.</summary>
    public static Reg Mad(this PtxWriter w, Reg a, Operand b, Operand c)
        => w.Op(a.Kind, a.Kind == RegKind.F32 ? "fma.rn.f32" : $"mad.lo.{Type(a)}", a, b, c);

    public static Reg Min(this PtxWriter w, Reg a, Operand b) => w.Op(a.Kind, $"min.{Type(a)}", a, b);

    public static Reg Max(this PtxWriter w, Reg a, Operand b) => w.Op(a.Kind, $"max.{Type(a)}", a, b);

    /// <summary>Unsigned quotient.</summary>
    public static Reg Div(this PtxWriter w, Reg a, Operand b) => w.Op(RegKind.B32, "div.u32", a, b);

    /// <summary>Unsigned remainder.</summary>
    public static Reg Rem(this PtxWriter w, Reg a, Operand b) => w.Op(RegKind.B32, "rem.u32", a, b);

    public static Reg And(this PtxWriter w, Reg a, Operand b) => w.Op(a.Kind, $"and.{Bits(a)}", a, b);

    public static Reg Or(this PtxWriter w, Reg a, Operand b) => w.Op(a.Kind, $"or.{Bits(a)}", a, b);

    public static Reg Xor(this PtxWriter w, Reg a, Operand b) => w.Op(a.Kind, $"xor.{Bits(a)}", a, b);

    public static Reg Shl(this PtxWriter w, Reg a, Operand bits) => w.Op(a.Kind, $"shl.{Bits(a)}", a, bits);

    /// <summary>Shifts zeros in.</summary>
    public static Reg Shr(this PtxWriter w, Reg a, Operand bits) => w.Op(a.Kind, a.Kind == RegKind.B64 ? "shr.u64" : "shr.u32", a, bits);

    /// <summary>64-bit product of two signed 32-bit numbers.</summary>
    public static Reg MulWide(this PtxWriter w, Reg a, Operand b) => w.Op(RegKind.B64, "mul.wide.s32", a, b);

    /// <summary>64-bit a · b + c of signed 32-bit a and b.</summary>
    public static Reg MadWide(this PtxWriter w, Reg a, Operand b, Reg c) => w.Op(RegKind.B64, "mad.wide.s32", a, b, c);

    /// <summary>A signed 32-bit number as 64 bits.</summary>
    public static Reg Widen(this PtxWriter w, Reg a) => w.Op(RegKind.B64, "cvt.s64.s32", a);

    public static Reg Const(this PtxWriter w, int value) => w.Op(RegKind.B32, "mov.b32", value);

    public static Reg Const(this PtxWriter w, float value) => w.Op(RegKind.F32, "mov.f32", value);

    /// <summary>target = source: for values that change around a loop.</summary>
    public static void Set(this PtxWriter w, Reg target, Operand source) => w.Emit($"mov.{Move(target)} {target}, {source}");

    /// <summary>The bits of a 32-bit register as the other 32-bit kind.</summary>
    public static Reg Reinterpret(this PtxWriter w, Reg a) => w.Op(a.Kind == RegKind.F32 ? RegKind.B32 : RegKind.F32, "mov.b32", a);

    /// <summary>Signed (or float) comparison: lt, le, gt, ge, eq or ne.</summary>
    public static Reg Compare(this PtxWriter w, string relation, Reg a, Operand b) => w.Op(RegKind.Predicate, $"setp.{relation}.{Type(a)}", a, b);

    public static Reg Both(this PtxWriter w, Reg a, Reg b) => w.Op(RegKind.Predicate, "and.pred", a, b);

    public static Reg Either(this PtxWriter w, Reg a, Reg b) => w.Op(RegKind.Predicate, "or.pred", a, b);

    public static Reg Not(this PtxWriter w, Reg a) => w.Op(RegKind.Predicate, "not.pred", a);

    /// <summary>predicate ? a : b, of the kind given where both are numbers.</summary>
    public static Reg Select(this PtxWriter w, Reg predicate, Operand a, Operand b, RegKind kind = RegKind.B32)
        => w.Op(kind, $"selp.{(kind == RegKind.F32 ? "f32" : kind == RegKind.B64 ? "b64" : "b32")}", a, b, predicate);

    /// <summary>2^a, approximate (two units in the last place).</summary>
    public static Reg Exp2(this PtxWriter w, Reg a) => w.Op(RegKind.F32, "ex2.approx.ftz.f32", a);

    /// <summary>log2 a, approximate.</summary>
    public static Reg Log2(this PtxWriter w, Reg a) => w.Op(RegKind.F32, "lg2.approx.ftz.f32", a);

    /// <summary>1 / a, approximate (one unit in the last place).</summary>
    public static Reg Reciprocal(this PtxWriter w, Reg a) => w.Op(RegKind.F32, "rcp.approx.ftz.f32", a);

    /// <summary>Value of the lane whose number differs by <paramref name="mask"/>'s bits; all lanes of the warp take part.</summary>
    public static Reg ShuffleXor(this PtxWriter w, Reg a, int mask) => w.Op(a.Kind, "shfl.sync.bfly.b32", a, mask, 31, -1);

    /// <summary>Whether the predicate holds in some lane; all lanes of the warp take part.</summary>
    public static Reg Any(this PtxWriter w, Reg predicate) => w.Op(RegKind.Predicate, "vote.sync.any.pred", predicate, -1);

    public static Reg ThreadX(this PtxWriter w) => Special(w, "%tid.x");

    public static Reg BlockX(this PtxWriter w) => Special(w, "%ctaid.x");

    public static Reg BlockY(this PtxWriter w) => Special(w, "%ctaid.y");

    public static Reg BlockZ(this PtxWriter w) => Special(w, "%ctaid.z");

    private static Reg Special(PtxWriter w, string name)
    {
        Reg result = w.New(RegKind.B32);
        w.Emit($"mov.u32 {result}, {name}");
        return result;
    }

    private static string Type(Reg a) => a.Kind switch
    {
        RegKind.F32 => "f32",
        RegKind.B64 => "s64",
        RegKind.B16 => "s16",
        _ => "s32",
    };

    private static string Rounded(Reg a) => a.Kind == RegKind.F32 ? "rn.f32" : Type(a);

    private static string Bits(Reg a) => a.Kind == RegKind.B64 ? "b64" : a.Kind == RegKind.B16 ? "b16" : "b32";

    private static string Move(Reg a) => a.Kind switch
    {
        RegKind.F32 => "f32",
        RegKind.B64 => "b64",
        RegKind.B16 => "b16",
        RegKind.Predicate => "pred",
        _ => "b32",
    };
}
