using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>
/// A lane that computes nothing and notes what is done with it: what a formula does with sixteen floats of OpenCL C. A processor's driver makes vectors of threads by itself, of eight floats
/// here and a quarter as fast for formulas with an exponential.
/// </summary>
internal readonly struct TextLane : ILane<TextLane>, IFloatLane<TextLane>
{
    private readonly FormulaNode? _node;

    private TextLane(FormulaNode node) => _node = node;

    private TextLane(string text, params FormulaNode[] operands)
        : this(new FormulaNode(text, operands))
    {
    }

    /// <summary>What it stands for.</summary>
    public FormulaNode Node => _node ?? throw new InvalidOperationException("the formula uses an operand that it has not");

    /// <summary>A variable of the kernel.</summary>
    public static TextLane Variable(string name) => new(name);

    public static TextLane Constant(double value) => new(FormulaNode.Constant(value));

    public static TextLane operator +(TextLane a, TextLane b) => new("{0} + {1}", a.Node, b.Node);

    public static TextLane operator -(TextLane a, TextLane b) => new("{0} - {1}", a.Node, b.Node);

    public static TextLane operator *(TextLane a, TextLane b) => new("{0} * {1}", a.Node, b.Node);

    public static TextLane operator /(TextLane a, TextLane b) => new("{0} / {1}", a.Node, b.Node);

    public static TextLane operator -(TextLane a) => new("-{0}", a.Node);

    public static TextLane MultiplyAdd(TextLane a, TextLane b, TextLane c) => new("fma({0}, {1}, {2})", a.Node, b.Node, c.Node);

    public static TextLane Max(TextLane a, TextLane b) => SelectGreater(a, b, a, b);

    public static TextLane Min(TextLane a, TextLane b) => SelectGreater(b, a, a, b);

    public static TextLane Abs(TextLane a) => new("fabs({0})", a.Node);

    public static TextLane Sqrt(TextLane a) => new("sqrt({0})", a.Node);

    /// <summary>What is not a number stays so, whatever bits it has.</summary>
    public static TextLane Exp(TextLane a) => new("select({0}, {1}, {1} != {1})", FloatMath.Exp(a).Node, a.Node);

    public static TextLane Tanh(TextLane a) => FloatMath.Tanh(a);

    public static TextLane Log(TextLane a) => FloatMath.Log(a);

    public static TextLane Erfc(TextLane a) => FloatMath.Erfc(a);

    public static TextLane SelectGreater(TextLane a, TextLane b, TextLane ifGreater, TextLane otherwise)
        => new("select({3}, {2}, {0} > {1})", a.Node, b.Node, ifGreater.Node, otherwise.Node);

    static TextLane IFloatLane<TextLane>.AddToExponent(TextLane a, TextLane shifted) => new("as_float16(as_int16({0}) + (as_int16({1}) << 23))", a.Node, shifted.Node);

    static TextLane IFloatLane<TextLane>.SplitExponent(TextLane a, out TextLane exponent)
    {
        var bits = new FormulaNode("as_int16({0}) - 0x3f3504f3", a.Node) { IsInteger = true };
        exponent = new("convert_float16({0} >> 23)", bits);
        return new("as_float16(({0} & 0x007fffff) + 0x3f3504f3)", bits);
    }
}
