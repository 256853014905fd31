using System.Globalization;
using System.Text;

namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>A formula's values as lines of OpenCL C, each computed once.</summary>
/// <param name="areNumbersOperands">Its numbers are what a kernel is given, <c>w.k[0]</c> and so on, so that formulas that differ in numbers only are one kernel.</param>
internal sealed class FormulaText(bool areNumbersOperands)
{
    private readonly Dictionary<FormulaNode, string> _names = [];
    private readonly StringBuilder _lines = new();

    /// <summary>The numbers in the order of their places.</summary>
    public List<float> Numbers { get; } = [];

    public string Lines => _lines.ToString();

    /// <summary>The name of a value; lines that compute it are added where there are none yet.</summary>
    public string Name(TextLane lane) => Name(lane.Node);

    private string Name(FormulaNode node)
    {
        if (_names.TryGetValue(node, out string? known))
        {
            return known;
        }

        string value = node.Number is { } number ? Number((float)number) : string.Format(CultureInfo.InvariantCulture, node.Text, [.. node.Operands.Select(Name)]);
        string name = node.Operands.Count == 0 && node.Number is null ? value : $"v{_names.Count}";
        if (name != value)
        {
            _lines.Append(CultureInfo.InvariantCulture, $"{(node.IsInteger ? "int16" : "float16")} {name} = {value};\n");
        }

        _names.Add(node, name);
        return name;
    }

    private string Number(float number)
    {
        Numbers.Add(number);
        return areNumbersOperands ? $"w.k[{Numbers.Count - 1}]" : $"as_float(0x{BitConverter.SingleToUInt32Bits(number):x8}u)";
    }
}
