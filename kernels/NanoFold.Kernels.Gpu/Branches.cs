using ILGPU.Runtime;

namespace NanoFold.Kernels.Gpu;

/// <summary>
/// Work of which no part needs another. While a step is captured each part but the first goes to a stream of its own, which begins where the main one is and
/// for whose end the main one waits, so that a replay may do them at the same time; otherwise they follow each other on the main stream. Either way each has scratch
/// memory of its own, which has its size before a step is captured, and gives the same bits.
/// </summary>
/// <param name="context">Whose work it is.</param>
/// <param name="events">By which streams wait for each other; null where parts always follow each other.</param>
internal sealed class Branches(GpuContext context, IStreamEvents? events) : IDisposable
{
    /// <summary>Streams at most, the main one among them; of more parts some share one.</summary>
    public const int Most = 4;

    // By branch: its stream, null for the main one, and the event of what was last waited for there.
    private readonly AcceleratorStream?[] _streams = new AcceleratorStream?[Most];
    private readonly nint[] _reached = new nint[Most];
    private int _opened;
    private int _count;

    /// <summary>Whether there may be more than one stream.</summary>
    public bool AreThere => events is not null;

    /// <summary>The branch of what is launched now, 0 for the main stream.</summary>
    public int Current { get; private set; }

    /// <summary>The stream of the branch, null for the main one.</summary>
    public AcceleratorStream? Stream => Current > 0 && context.IsCapturing ? _streams[Current] : null;

    /// <summary>What follows is in so many parts, until the end of the scope.</summary>
    public Scope Fork(int parts)
    {
        if (_count > 0)
        {
            throw new InvalidOperationException("gpu: parts within a part cannot be done at the same time");
        }

        _count = Math.Min(parts, Most);
        if (!context.IsCapturing)
        {
            Open(_count);
            return new Scope(this);
        }

        events!.Record(_reached[0], context.Stream);
        for (int branch = 1; branch < _count; branch++)
        {
            events.Wait(_streams[branch]!, _reached[0]);
        }

        return new Scope(this);
    }

    /// <summary>What follows belongs to a part.</summary>
    public void Enter(int part) => Current = part % _count;

    // What follows needs all parts.
    private void Join()
    {
        Current = 0;
        context.BeforeForeignLaunch();
        for (int branch = 1; context.IsCapturing && branch < _count; branch++)
        {
            events!.Record(_reached[branch], _streams[branch]!);
            events.Wait(context.Stream, _reached[branch]);
        }

        _count = 0;
    }

    public void Dispose()
    {
        for (int branch = 0; branch < _opened; branch++)
        {
            events!.Delete(_reached[branch]);
            _streams[branch]?.Dispose();
        }
    }

    /// <summary>What is in parts ends with it.</summary>
    public readonly ref struct Scope(Branches branches)
    {
        public void Dispose() => branches.Join();
    }

    // A device may refuse new streams while it captures.
    private void Open(int count)
    {
        for (; _opened < count; _opened++)
        {
            _reached[_opened] = events!.New();
            _streams[_opened] = _opened == 0 ? null : context.Accelerator.CreateStream();
        }
    }
}

/// <summary>Points that streams reach and for which others wait.</summary>
internal interface IStreamEvents
{
    nint New();

    /// <summary>The event is now: what was launched on the stream so far.</summary>
    void Record(nint made, AcceleratorStream stream);

    /// <summary>What follows on the stream waits for the event as it was last recorded.</summary>
    void Wait(AcceleratorStream stream, nint made);

    void Delete(nint made);
}
