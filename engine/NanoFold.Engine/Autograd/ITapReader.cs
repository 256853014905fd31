using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>Reads tapped values as they are computed. It may not change them: see <see cref="ITapEditor"/>.</summary>
public interface ITapReader
{
    /// <summary>
    /// Names it wants, with <c>*</c> for any run of characters and <c>?</c> for one: <c>blocks.*.hook_resid_post</c>. One that ends with <c>.grad</c> means
    /// the gradient of the loss at these points, read in the backward pass.
    /// </summary>
    string Pattern { get; }

    /// <summary>
    /// Which tokens it wants, or null for all. A value [B, T, ..] comes as [R, ..] then, and an attention pattern [B, H, T, T] as the rows [R, H, T]
    /// of these queries, without the rest being computed.
    /// </summary>
    TapRows? Rows => null;

    /// <summary>
    /// Which places it wants by what stands there, or null for all: a value [B, T, ..] comes as [R, ..] with <see cref="TapValue.Rows"/>, R from run to run
    /// another. Not with <see cref="Rows"/>; runs in which no place passes are not read.
    /// </summary>
    ITapFilter? Filter => null;

    /// <summary>It reads the first run of a plan and every so many after it.</summary>
    int Every => 1;

    /// <summary>Whether a model without such a point is no mistake.</summary>
    bool IsOptional => false;

    /// <summary>Called at every run of a plan that was recorded with this reader, or as often as <see cref="Every"/> says.</summary>
    void Read(TapValue value);
}

/// <summary>Says which places of a pass are meant.</summary>
public interface ITapFilter
{
    /// <summary>Records 1 at the places [B, T] that are meant and 0 at the others.</summary>
    /// <param name="tape">Where the model has begun to record.</param>
    /// <param name="name">The point's full name, for messages.</param>
    Tensor Places(Tape tape, string name);
}

/// <summary>A tapped value, for the duration of one call.</summary>
public readonly ref struct TapValue
{
    private readonly Backend? _backend;
    private readonly View _view;
    private readonly ReadOnlySpan<float> _values;

    internal TapValue(string name, Backend backend, in View view)
    {
        Name = name;
        _backend = backend;
        _view = view;
    }

    // Of the places that passed a filter: on the host already.
    internal TapValue(string name, in View view, ReadOnlySpan<int> rows, ReadOnlySpan<float> values)
    {
        Name = name;
        _view = view;
        Rows = rows;
        _values = values;
    }

    /// <summary>Full name, as in <c>blocks.3.hook_resid_post</c>; a gradient's ends with <c>.grad</c>.</summary>
    public string Name { get; }

    /// <summary>The places that passed <see cref="ITapReader.Filter"/>, each b · T + t; empty without one.</summary>
    public ReadOnlySpan<int> Rows { get; }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ref readonly Layout Layout => ref _view.Layout;

    public int Count => checked((int)_view.Count);

    /// <summary>Copies the value, contiguous and row-major, to the host.</summary>
    public void CopyTo(Span<float> target)
    {
        if (_backend is null)
        {
            _values.CopyTo(target);
        }
        else
        {
            _backend.Read(_view, target[..Count]);
        }
    }

    public float[] ToArray()
    {
        var values = new float[Count];
        CopyTo(values);
        return values;
    }
}
