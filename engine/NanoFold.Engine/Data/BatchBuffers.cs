using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Data;

/// <summary>Tokens, targets and documents of one batch [B, T], on the host and on the device.</summary>
internal sealed class BatchBuffers : IDisposable
{
    private readonly Backend _backend;
    private readonly DeviceBuffer _buffer;
    private readonly Layout _layout;
    private readonly int[] _documents;

    public BatchBuffers(Backend backend, int batch, int time, bool withDocuments)
    {
        _backend = backend;
        _layout = Layout.Of(batch, time);
        Tokens = new int[batch * time];
        Targets = new int[batch * time];
        _documents = withDocuments ? new int[batch * time] : [];
        _buffer = backend.Allocate(3 * Stride * sizeof(int));
    }

    public int[] Tokens { get; }

    public int[] Targets { get; }

    /// <summary>Empty where attention crosses documents.</summary>
    public Span<int> Documents => _documents;

    /// <summary>On the device.</summary>
    public long Bytes => _buffer.Bytes;

    private long Stride => (_layout.Count + 63) / 64 * 64;

    public void Upload() => Upload(Tokens, Targets, _documents);

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
        _documents.Length > 0 ? tape.External("documents", View(2)) : default);

    public int CountTargets() => Targets.Length - Targets.AsSpan().Count(-1);

    public void Dispose() => _buffer.Dispose();

    private View View(int index) => new(_buffer, index * Stride, _layout, DType.Int32);
}
