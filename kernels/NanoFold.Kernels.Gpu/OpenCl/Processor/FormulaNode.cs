namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>A value of a formula that is written as OpenCL C: sixteen floats, or sixteen integers.</summary>
/// <param name="text">How it is computed, its operands as <c>{0}</c> and so on.</param>
/// <param name="operands">What it is computed of.</param>
internal sealed class FormulaNode(string text, params FormulaNode[] operands)
{
    /// <summary>A number that the formula has, or null.</summary>
    public double? Number { get; private init; }

    public bool IsInteger { get; init; }

    public string Text => text;

    public IReadOnlyList<FormulaNode> Operands => operands;

    public static FormulaNode Constant(double value) => new("") { Number = value };
}
