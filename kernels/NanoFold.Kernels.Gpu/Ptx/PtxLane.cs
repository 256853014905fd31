using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>
/// A float of a kernel that is being written: what a formula of lanes does with it is written as instructions. Within <see cref="In"/> only, where a writer is known.
/// </summary>
internal readonly struct PtxLane : ILane<PtxLane>, IFloatLane<PtxLane>
{
    [ThreadStatic]
    private static PtxWriter? s_writer;

    [ThreadStatic]
    private static bool s_isNear;

    private readonly Operand _operand;

    public PtxLane(Reg value) => _operand = value;

    private PtxLane(Operand operand) => _operand = operand;

    /// <summary>The value in a register.</summary>
    public Reg Value => _operand.Register ?? Writer.Op(RegKind.F32, "mov.f32", _operand);

    private static PtxWriter Writer => s_writer ?? throw new InvalidOperationException("ptx: a formula is written where no writer is known");

    /// <summary>Formulas are written there until it is disposed.</summary>
    /// <param name="writer">Of the kernel.</param>
    /// <param name="isNear">
    /// Exponentials and quotients are the device's approximate ones, 2 instructions each in place of some 25 and 10, with errors of a few units of a float's last place: for
    /// results that are rounded to 16 bits.
    /// </param>
    public static Scope In(PtxWriter writer, bool isNear)
    {
        (s_writer, s_isNear) = (writer, isNear);
        return default;
    }

    public static PtxLane Constant(double value) => new((Operand)(float)value);

    public static PtxLane operator +(PtxLane a, PtxLane b) => Of("add.rn.f32", a, b);

    public static PtxLane operator -(PtxLane a, PtxLane b) => Of("sub.rn.f32", a, b);

    public static PtxLane operator *(PtxLane a, PtxLane b) => Of("mul.rn.f32", a, b);

    public static PtxLane operator /(PtxLane a, PtxLane b) => s_isNear ? a * new PtxLane(Writer.Op(RegKind.F32, "rcp.approx.ftz.f32", b._operand)) : Of("div.rn.f32", a, b);

    public static PtxLane operator -(PtxLane a) => new(Writer.Op(RegKind.F32, "neg.f32", a._operand));

    public static PtxLane MultiplyAdd(PtxLane a, PtxLane b, PtxLane c) => new(Writer.Op(RegKind.F32, "fma.rn.f32", a._operand, b._operand, c._operand));

    public static PtxLane Max(PtxLane a, PtxLane b) => SelectGreater(a, b, a, b);

    public static PtxLane Min(PtxLane a, PtxLane b) => SelectGreater(b, a, a, b);

    public static PtxLane Abs(PtxLane a) => new(Writer.Op(RegKind.F32, "abs.f32", a._operand));

    public static PtxLane Sqrt(PtxLane a) => new(Writer.Op(RegKind.F32, "sqrt.rn.f32", a._operand));

    /// <summary>As in <see cref="GpuLane"/> what is not a number stays so.</summary>
    public static PtxLane Exp(PtxLane a)
    {
        if (s_isNear)
        {
            return new(Writer.Op(RegKind.F32, "ex2.approx.ftz.f32", (a * Constant(1.4426950408889634))._operand));
        }

        PtxLane power = FloatMath.Exp(a);
        Reg bits = Writer.And(Writer.Reinterpret(a.Value), 0x7fffffff);
        return new(Writer.Select(Writer.Compare("gt", bits, 0x7f800000), a._operand, power._operand, RegKind.F32));
    }

    public static PtxLane Tanh(PtxLane a) => FloatMath.Tanh(a);

    public static PtxLane Log(PtxLane a) => FloatMath.Log(a);

    public static PtxLane Erfc(PtxLane a) => FloatMath.Erfc(a);

    public static PtxLane SelectGreater(PtxLane a, PtxLane b, PtxLane ifGreater, PtxLane otherwise)
        => new(Writer.Select(Writer.Op(RegKind.Predicate, "setp.gt.f32", a._operand, b._operand), ifGreater._operand, otherwise._operand, RegKind.F32));

    static PtxLane IFloatLane<PtxLane>.AddToExponent(PtxLane a, PtxLane shifted)
    {
        Reg shift = Writer.Shl(Writer.Reinterpret(shifted.Value), 23);
        return new(Writer.Reinterpret(Writer.Add(Writer.Reinterpret(a.Value), shift)));
    }

    static PtxLane IFloatLane<PtxLane>.SplitExponent(PtxLane a, out PtxLane exponent)
    {
        Reg bits = Writer.Sub(Writer.Reinterpret(a.Value), 0x3f3504f3);
        exponent = new(Writer.Op(RegKind.F32, "cvt.rn.f32.s32", Writer.Op(RegKind.B32, "shr.s32", bits, 23)));
        return new(Writer.Reinterpret(Writer.Add(Writer.And(bits, 0x007fffff), 0x3f3504f3)));
    }

    private static PtxLane Of(string opcode, PtxLane a, PtxLane b) => new(Writer.Op(RegKind.F32, opcode, a._operand, b._operand));

    /// <summary>Ends what <see cref="In"/> began.</summary>
    public readonly struct Scope : IDisposable
    {
        public void Dispose() => s_writer = null;
    }
}
