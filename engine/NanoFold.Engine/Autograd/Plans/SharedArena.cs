using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// One stretch of memory for plans that do not run at the same time, as large as the largest of them needs: training, evaluating and measuring share it.
/// The values that one plan kept are gone after another has run.
/// </summary>
public sealed class SharedArena(Backend backend) : IDisposable
{
    private DeviceBuffer? _buffer;

    /// <summary>Bytes allocated.</summary>
    public long Bytes => _buffer?.Bytes ?? 0;

    /// <summary>Allocates at once what plans are going to need, so that none of them is bound anew later.</summary>
    public void Reserve(long bytes)
    {
        if (_buffer is null || _buffer.Bytes < bytes)
        {
            _buffer?.Dispose();
            _buffer = null;
            _buffer = backend.Allocate(bytes);
        }
    }

    /// <summary>Makes a plan ready to run here. Call it before a run whenever another plan may have run in between.</summary>
    public void Bind(Plan plan)
    {
        Reserve(plan.ArenaBytes);
        plan.Bind(_buffer!);
    }

    public void Dispose()
    {
        _buffer?.Dispose();
        _buffer = null;
    }
}
