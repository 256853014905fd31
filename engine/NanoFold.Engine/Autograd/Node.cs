using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Autograd;

/// <summary>One recorded call of an op.</summary>
public sealed class Node
{
    internal Node(int index, Op op, Tensor[] inputs, Tensor[] outputs, string path, int segment)
    {
        Index = index;
        Op = op;
        Inputs = inputs;
        Outputs = outputs;
        Path = path;
        Segment = segment;
    }

    public int Index { get; }

    public Op Op { get; }

    public IReadOnlyList<Tensor> Inputs { get; }

    public IReadOnlyList<Tensor> Outputs { get; }

    /// <summary>The module that recorded it, as in <c>blocks.3.attn</c>.</summary>
    public string Path { get; }

    /// <summary>Recomputation segment, −1 for none.</summary>
    internal int Segment { get; }

    public override string ToString() => $"{Path}: {Op.Name}({string.Join(", ", Inputs)}) -> {string.Join(", ", Outputs)}";
}
