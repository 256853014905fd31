using System.Globalization;
using System.Runtime.InteropServices;

namespace NanoFold.Engine.Interchange.Onnx;

/// <summary>
/// A graph of ONNX (https://onnx.ai/onnx/repo-docs/IR.html), of the standard operators of one version, node by node: each gives the name of its result. Numbers of fields are
/// those of onnx.proto.
/// </summary>
internal sealed class OnnxGraph
{
    /// <summary>Types of elements.</summary>
    public const int Float = 1, Int64 = 7;

    private const int IrVersion = 8, Operators = 17;
    private const int RealKind = 1, IntegerKind = 2, IntegersKind = 7;

    private readonly ProtoWriter _graph = new();
    private readonly HashSet<string> _constants = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>An input, with the extents that are given with a run by their names.</summary>
    public string Input(string name, int type, params ReadOnlySpan<string> shape)
    {
        _graph.Message(11, Value(name, type, shape));
        return name;
    }

    /// <summary>An output; a whole number is an extent that is known.</summary>
    public void Output(string name, int type, params ReadOnlySpan<string> shape) => _graph.Message(12, Value(name, type, shape));

    /// <summary>A tensor of the file; of equal names the first counts.</summary>
    public string Constant(string name, ReadOnlySpan<long> shape, ReadOnlySpan<float> values) => Constant(name, Float, shape, MemoryMarshal.AsBytes(values));

    /// <inheritdoc cref="Constant(string, ReadOnlySpan{long}, ReadOnlySpan{float})"/>
    public string Constant(string name, ReadOnlySpan<long> shape, ReadOnlySpan<long> values) => Constant(name, Int64, shape, MemoryMarshal.AsBytes(values));

    /// <summary>A number.</summary>
    public string Scalar(float value) => Constant(string.Create(CultureInfo.InvariantCulture, $"real {value:r}"), [], (float[])[value]);

    /// <summary>A whole number.</summary>
    public string Scalar(long value) => Constant(string.Create(CultureInfo.InvariantCulture, $"integer {value}"), [], (long[])[value]);

    /// <summary>A list of whole numbers.</summary>
    public string List(params long[] values) => Constant($"integers {string.Join(' ', values)}", [values.Length], values);

    /// <summary>A node with one result.</summary>
    /// <param name="kind">The operator.</param>
    /// <param name="inputs">Names.</param>
    /// <param name="attributes">A float, a long, or an array of long, each.</param>
    public string Node(string kind, string[] inputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        string result = string.Create(CultureInfo.InvariantCulture, $"{kind}_{_count++}");
        NodeTo(result, kind, inputs, attributes);
        return result;
    }

    /// <summary>The same, with a name for its result.</summary>
    public void NodeTo(string result, string kind, string[] inputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        var node = new ProtoWriter();
        foreach (string input in inputs)
        {
            node.Text(1, input);
        }

        node.Text(2, result).Text(3, result).Text(4, kind);
        foreach ((string name, object value) in attributes)
        {
            node.Message(5, Attribute(name, value));
        }

        _graph.Message(1, node);
    }

    /// <summary>The whole file.</summary>
    public ProtoWriter Model(string name)
    {
        _graph.Text(2, name);
        return new ProtoWriter().Number(1, IrVersion).Text(2, "nanofold").Message(7, _graph).Message(8, new ProtoWriter().Text(1, "").Number(2, Operators));
    }

    private string Constant(string name, int type, ReadOnlySpan<long> shape, ReadOnlySpan<byte> bytes)
    {
        if (_constants.Add(name))
        {
            var tensor = new ProtoWriter();
            foreach (long extent in shape)
            {
                tensor.Number(1, extent);
            }

            _graph.Message(5, tensor.Number(2, type).Text(8, name).Bytes(9, bytes));
        }

        return name;
    }

    private static ProtoWriter Attribute(string name, object value)
    {
        ProtoWriter attribute = new ProtoWriter().Text(1, name);
        switch (value)
        {
            case float real:
                return attribute.Real(2, real).Number(20, RealKind);
            case long integer:
                return attribute.Number(3, integer).Number(20, IntegerKind);
            default:
                foreach (long integer in (long[])value)
                {
                    attribute.Number(8, integer);
                }

                return attribute.Number(20, IntegersKind);
        }
    }

    private static ProtoWriter Value(string name, int type, ReadOnlySpan<string> shape)
    {
        var extents = new ProtoWriter();
        foreach (string extent in shape)
        {
            extents.Message(1, long.TryParse(extent, NumberStyles.None, CultureInfo.InvariantCulture, out long known) ? new ProtoWriter().Number(1, known) : new ProtoWriter().Text(2, extent));
        }

        return new ProtoWriter().Text(1, name).Message(2, new ProtoWriter().Message(1, new ProtoWriter().Number(1, type).Message(2, extents)));
    }
}
