using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Data;

/// <summary>Tokens, targets and documents of one batch [B, T], on the host from when they are first asked for, and on the device.</summary>
internal sealed class BatchBuffers : IDisposable
{
    private readonly Backend _backend;
    private readonly DeviceBuffer? _buffer;
    private readonly Layout _layout;
    private readonly bool _hasDocuments;
    private int[]? _tokens;
    private int[]? _targets;
    private int[]? _documents;

    /// <param name="backend">Where the device's copy is.</param>
    /// <param name="batch">B.</param>
    /// <param name="time">T.</param>
    /// <param name="withDocuments">Whether tokens see their own document only.</param>
    /// <param name="onDevice">Whether there is such a copy: of the micro-batches of a step the first one's serves all.</param>
    public BatchBuffers(Backend backend, int batch, int time, bool withDocuments, bool onDevice = true)
    {
        _backend = backend;
        _layout = Layout.Of(batch, time);
        _hasDocuments = withDocuments;
        _buffer = onDevice ? backend.Allocate(3 * Stride * sizeof(int)) : null;
    }

    public int[] Tokens => _tokens ??= New();

    public int[] Targets => _targets ??= New();

    /// <summary>Empty where attention crosses documents.</summary>
    public Span<int> Documents => _hasDocuments ? _documents ??= New() : [];

    /// <summary>On the device.</summary>
    public long Bytes => _buffer?.Bytes ?? 0;

    private long Stride => (_layout.Count + 63) / 64 * 64;

    public void Upload() => Upload(Tokens, Targets, Documents);

    /// <summary>Puts another batch of the same shape on the device.</summary>
    public void Upload(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, ReadOnlySpan<int> documents)
    {
        _backend.Upload(tokens, View(0));
        _backend.Upload(targets, View(1));
        if (!documents.IsEmpty)
        {
            _backend.Upload(documents, View(2));
        }
    }

    /// <summary>The three as inputs of a tape; documents are none where there are none.</summary>
    public (Tensor Tokens, Tensor Targets, Tensor Documents) On(Tape tape) => (
        tape.External("tokens", View(0)),
        tape.External("targets", View(1)),
        _hasDocuments ? tape.External("documents", View(2)) : default);

    public int CountTargets() => Targets.Length - Targets.AsSpan().Count(-1);

    /// <summary>Bytes on the host of a step's micro-batches.</summary>
    public static long HostBytes(int batch, int time, int microBatches, bool withDocuments) =>
        (withDocuments ? 3L : 2L) * sizeof(int) * batch * time * microBatches + 512L * microBatches;

    public void Dispose() => _buffer?.Dispose();

    private int[] New() => new int[_layout.Count];

    private View View(int index) => new(_buffer!, index * Stride, _layout, DType.Int32);
}
