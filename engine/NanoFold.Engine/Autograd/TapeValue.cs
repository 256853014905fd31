using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>Where the memory of a value comes from.</summary>
internal enum ValueKind
{
    /// <summary>Made by a node; lives in the plan's arena.</summary>
    Activation,

    /// <summary>In the parameter store.</summary>
    Parameter,

    /// <summary>In a buffer that outlives the plan: inputs, tables, caches.</summary>
    External,
}

/// <summary>A value on the tape, which any number of handles may name.</summary>
internal sealed class TapeValue(ValueKind kind, Layout layout, DType type, string name)
{
    public ValueKind Kind { get; } = kind;

    public Layout Layout { get; } = layout;

    public DType Type { get; } = type;

    public string Name { get; } = name;

    /// <summary>The parameter, or the first of those that are joined.</summary>
    public Parameter? Parameter => Parameters.Count > 0 ? Parameters[0] : null;

    /// <summary>The parameters whose memory it is: several where they are seen as one.</summary>
    public IReadOnlyList<Parameter> Parameters { get; init; } = [];

    public View External { get; init; }

    /// <summary>Index of the node that makes it, −1 where none does.</summary>
    public int Producer { get; init; } = -1;

    public bool NeedsGradient { get; set; }

    /// <summary>Read by the host after the run: its memory is not reused.</summary>
    public bool Kept { get; set; }
}
