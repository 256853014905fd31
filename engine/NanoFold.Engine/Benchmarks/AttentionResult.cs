using System.Runtime.InteropServices;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Benchmarks;

/// <summary>A case and what its passes take, of the whole batch.</summary>
/// <param name="Case">Its shape.</param>
/// <param name="ForwardSeconds">Median of the forward pass.</param>
/// <param name="BackwardSeconds">What forward and backward take more than that, by medians.</param>
/// <param name="Bytes">q, k, v and their gradients; the result and its gradient, what is kept for the backward pass, scratch.</param>
public sealed record AttentionResult(AttentionCase Case, double ForwardSeconds, double BackwardSeconds, long Bytes)
{
    public double FlopsPerSecond => Case.Flops / (ForwardSeconds + BackwardSeconds);

    /// <summary>Time for a sequence over T²: constant where all pairs are visible and cost the same.</summary>
    public double SecondsPerSquare => (ForwardSeconds + BackwardSeconds) / Case.Batch / ((double)Case.Context * Case.Context);

    /// <summary>Memory for a token: constant where T × T is never held.</summary>
    public double BytesPerToken => (double)Bytes / ((long)Case.Batch * Case.Context);

    /// <summary>Times the backend's fused kernel, or in single precision what it is composed of without one: forward alone and both passes by turns.</summary>
    /// <param name="shape">What is computed.</param>
    /// <param name="backend">Where.</param>
    /// <param name="type">Of q, k, v and the result.</param>
    public static AttentionResult Measure(AttentionCase shape, Backend backend, DType type = DType.Float32)
    {
        if (backend.Find<AttentionCall>() is null)
        {
            return MeasureComposed(shape, backend);
        }

        using var fused = new FusedAttention(shape, backend, type);
        return Time(shape, backend, fused.Forward, fused.Both, fused.Bytes);
    }

    /// <summary>How often both passes of the fused kernel come out with other bits than at first; null where there is no such kernel.</summary>
    /// <param name="shape">What is computed.</param>
    /// <param name="backend">Where.</param>
    /// <param name="type">Of q, k, v and the result.</param>
    /// <param name="repeats">After the first time.</param>
    public static int? DifferentRepeats(AttentionCase shape, Backend backend, DType type, int repeats)
    {
        if (backend.Find<AttentionCall>() is null)
        {
            return null;
        }

        using var fused = new FusedAttention(shape, backend, type);
        fused.Both();
        float[] first = fused.Gradients();
        int different = 0;
        for (int i = 0; i < repeats; i++)
        {
            fused.Both();
            different += MemoryMarshal.AsBytes<float>(fused.Gradients()).SequenceEqual(MemoryMarshal.AsBytes<float>(first)) ? 0 : 1;
        }

        return different;
    }

    private static AttentionResult MeasureComposed(AttentionCase shape, Backend backend)
    {
        using ParameterStore store = shape.NewOperands(backend);
        using DeviceBuffer? numbers = shape.Documents > 0 ? backend.Allocate((long)shape.Batch * shape.Context * sizeof(int)) : null;
        View documents = numbers is null ? default : Documents(shape, backend, numbers);
        using Plan forward = shape.Record(store, training: false, documents), both = shape.Record(store, training: true, documents);
        using DeviceBuffer arena = backend.Allocate(Math.Max(forward.ArenaBytes, both.ArenaBytes));
        forward.Bind(arena);
        both.Bind(arena);
        return Time(shape, backend, forward.Run, both.Run, both.ArenaBytes + ((store.Elements + store.TrainedElements) * sizeof(float)));
    }

    private static View Documents(AttentionCase shape, Backend backend, DeviceBuffer memory)
    {
        var documents = new View(memory, 0, Layout.Of(shape.Batch, shape.Context), DType.Int32);
        backend.Upload<int>(shape.DocumentNumbers(), documents);
        return documents;
    }

    private static AttentionResult Time(AttentionCase shape, Backend backend, Action forward, Action both, long bytes)
    {
        double[] seconds = AlternatingTimer.Medians(backend, forward, both);
        // The clock's noise must not make a short backward pass negative.
        return new AttentionResult(shape, seconds[0], Math.Max(0, seconds[1] - seconds[0]), bytes);
    }

    /// <summary>The fused kernels of a case, over tensors of random numbers.</summary>
    private sealed class FusedAttention : IDisposable
    {
        private readonly Backend _backend;
        private readonly List<DeviceBuffer> _buffers = [];
        private readonly IKernel<AttentionCall> _forward;
        private readonly IKernel<AttentionBackwardCall> _backward;
        private readonly AttentionCall _call;
        private readonly AttentionBackwardCall _backwardCall;
        private readonly View[] _gradients;

        public FusedAttention(AttentionCase shape, Backend backend, DType type)
        {
            _backend = backend;
            (_forward, _backward) = (backend.Require<AttentionCall>(), backend.Require<AttentionBackwardCall>());
            View Queries() => New(type, shape.Batch, shape.Context, shape.Heads, shape.HeadDim);
            View Keys() => New(type, shape.Batch, shape.Context, shape.KvHeads, shape.HeadDim);
            View q = Queries(), k = Keys(), v = Keys(), y = Queries(), dy = Queries(), dq = Queries(), dk = Keys(), dv = Keys();
            _gradients = [dq, dk, dv];
            View documents = default;
            if (shape.Documents > 0)
            {
                _buffers.Add(backend.Allocate((long)shape.Batch * shape.Context * sizeof(int)));
                documents = Documents(shape, backend, _buffers[^1]);
            }

            _call = new AttentionCall(new AttentionArgs
            {
                Q = q, K = k, V = v, Y = y, LogSumExp = Allocate(DType.Float32, shape.Batch, shape.Heads, shape.Context), Scale = 1 / Math.Sqrt(shape.HeadDim),
                Visible = new Visible { Kind = VisibleKind.Causal, Window = shape.Window, Documents = documents },
            });
            AttentionBackwardCall Backward(in View scratch) => new(_call.Args, new AttentionGradients { DY = dy, DQ = dq, DK = dk, DV = dv, Scratch = scratch });
            long bytes = _backward.ScratchBytes(Backward(default));
            _backwardCall = Backward(bytes == 0 ? default : Allocate(DType.Float32, checked((int)((bytes + 3) / sizeof(float)))));
        }

        public long Bytes => _buffers.Sum(b => b.Bytes);

        public void Forward() => _forward.Run(_call);

        public void Both()
        {
            _forward.Run(_call);
            _backward.Run(_backwardCall);
        }

        /// <summary>dq, dk and dv, one after the other.</summary>
        public float[] Gradients()
        {
            var all = new float[_gradients.Sum(g => g.Count)];
            int at = 0;
            foreach (View gradient in _gradients)
            {
                int count = (int)gradient.Count;
                _backend.Read(gradient, all.AsSpan(at, count));
                at += count;
            }

            return all;
        }

        public void Dispose() => _buffers.ForEach(b => b.Dispose());

        private View New(DType type, params ReadOnlySpan<int> dims)
        {
            View view = Allocate(type, dims);
            var values = new float[view.Count];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (Philox.Next((ulong)_buffers.Count, (ulong)i, 0).X0 >> 8) * (1f / (1 << 23)) - 1;
            }

            _backend.Write(values, view);
            return view;
        }

        private View Allocate(DType of, params ReadOnlySpan<int> dims)
        {
            Layout layout = Layout.Of(dims);
            _buffers.Add(_backend.Allocate(layout.Count * of.Size()));
            return new View(_buffers[^1], 0, layout, of);
        }
    }
}
