using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>Reads tapped values as they are computed. It may not change them: see <see cref="ITapEditor"/>.</summary>
public interface ITapReader
{
    /// <summary>Names it wants, with <c>*</c> for any run of characters and <c>?</c> for one: <c>blocks.*.hook_resid_post</c>.</summary>
    string Pattern { get; }

    /// <summary>
    /// Which tokens it wants, or null for all. A value [B, T, ..] comes as [R, ..] then, and an attention pattern [B, H, T, T] as the rows [R, H, T]
    /// of these queries, without the rest being computed.
    /// </summary>
    TapRows? Rows => null;

    /// <summary>Whether a model without such a point is no mistake.</summary>
    bool IsOptional => false;

    /// <summary>Called at every run of a plan that was recorded with this reader.</summary>
    void Read(TapValue value);
}

/// <summary>A tapped value, for the duration of one call.</summary>
public readonly ref struct TapValue
{
    private readonly Backend _backend;
    private readonly View _view;

    internal TapValue(string name, Backend backend, in View view)
    {
        Name = name;
        _backend = backend;
        _view = view;
    }

    /// <summary>Full name, as in <c>blocks.3.hook_resid_post</c>.</summary>
    public string Name { get; }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ref readonly Layout Layout => ref _view.Layout;

    public int Count => checked((int)_view.Count);

    /// <summary>Copies the value, contiguous and row-major, to the host.</summary>
    public void CopyTo(Span<float> target) => _backend.Read(_view, target[..Count]);

    public float[] ToArray()
    {
        var values = new float[Count];
        CopyTo(values);
        return values;
    }
}
