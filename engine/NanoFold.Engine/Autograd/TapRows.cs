using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// The tokens that an <see cref="ITapReader"/> wants in place of all: token t of row b of a batch [B, T] is b · T + t. Which they are may change
/// between runs, how many may not.
/// </summary>
public sealed class TapRows : IDisposable
{
    private readonly Backend _backend;
    private readonly DeviceBuffer _buffer;

    /// <param name="backend">Where the model runs.</param>
    /// <param name="count">R, how many tokens are wanted, at least 1; they are the first ones until <see cref="Set"/>.</param>
    public TapRows(Backend backend, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _backend = backend;
        Count = count;
        _buffer = backend.Allocate((long)count * sizeof(int));
        if (backend.HoldsValues)
        {
            Set([.. Enumerable.Range(0, count)]);
        }
    }

    /// <summary>R.</summary>
    public int Count { get; }

    /// <summary>On the device.</summary>
    public long Bytes => _buffer.Bytes;

    private View View => new(_buffer, 0, Layout.Of(Count), DType.Int32);

    /// <summary>Other tokens, as many as before.</summary>
    public void Set(ReadOnlySpan<int> rows) => _backend.Upload(rows, View);

    public void Dispose() => _buffer.Dispose();

    internal Tensor On(Tape tape) => tape.External("tap rows", View);
}
