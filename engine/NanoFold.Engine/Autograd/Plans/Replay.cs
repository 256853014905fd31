using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// Calls that are made over and over with the same operands. Where the device can, they are captured at the second run, when every kernel is compiled and
/// scratch memory has its size, and replayed as one piece of work from then on.
/// </summary>
/// <param name="backend">Where they run.</param>
/// <param name="calls">What is called; nothing of it may read back or allocate.</param>
internal sealed class Replay(Backend backend, Action calls) : IDisposable
{
    private RecordedCalls? _recorded;
    private int _runs;

    public void Run()
    {
        if (_recorded is null && _runs++ == 1)
        {
            _recorded = backend.Capture(calls);
        }

        if (_recorded is not null)
        {
            _recorded.Replay();
        }
        else
        {
            calls();
        }
    }

    public void Dispose()
    {
        _recorded?.Dispose();
        _recorded = null;
    }
}
