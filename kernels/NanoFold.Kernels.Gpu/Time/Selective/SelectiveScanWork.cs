using ILGPU;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Time.Selective;

/// <summary>s_t[n] = exp(Δ_t A[n]) s_{t−1}[n] + Δ_t x_t in_t[n], y_t = Σ_n out_t[n] s_t[n] + skip x_t; a state of more numbers than a group has in several passes.</summary>
internal struct SelectiveScanWork<T> : IGpuWork<SelectiveScanWork<T>>
    where T : unmanaged, IElement<T>
{
    private const int Places = SelectiveTile<T>.Places, Side = SelectiveTile<T>.Side;

    public SelectiveTile<T> Tile;
    public SequenceView<T> Y;

    /// <summary>[B, N, C]; replaced.</summary>
    public ArrayView<float> State;

    /// <summary>[B, chunks, N, C].</summary>
    public ArrayView<float> Kept;

    public int HasState, HasKept, Chunks;

    public static void Run(SelectiveScanWork<T> w)
    {
        ArrayView<float> steps = SharedMemory.Allocate<float>(Places * Side), inputs = SharedMemory.Allocate<float>(Places * Side);
        ArrayView<float> into = SharedMemory.Allocate<float>(Places * Side), from = SharedMemory.Allocate<float>(Places * Side);
        ArrayView<float> parts = SharedMemory.Allocate<float>(Places * Side * Side);
        int channels = w.Tile.Channels, numbers = w.Tile.Numbers, threads = channels * numbers, thread = Group.IdxX;
        int row = Grid.IdxY, firstChannel = Grid.IdxX * channels, channel = firstChannel + thread % channels, count = Seams<T>.Count(w.Tile.Seams, row);
        for (int block = 0; block < w.Tile.States; block += numbers)
        {
            int number = block + thread / channels;
            bool isThere = channel < w.Tile.Width && number < w.Tile.States;
            float decay = SelectiveTile<T>.Decay(w.Tile, channel, number), state = 0;
            long at = ((long)row * w.Tile.States + number) * w.Tile.Width + channel;
            if (isThere && w.HasState != 0)
            {
                state = w.State[at];
            }

            for (int first = 0; first < count; first += Places)
            {
                for (int i = thread; i < Places * channels; i += threads)
                {
                    int place = first + i / channels, c = firstChannel + i % channels;
                    float step = SelectiveTile<T>.Step(w.Tile, row, place, c, count);
                    steps[i] = step;
                    inputs[i] = step * SelectiveTile<T>.Read(w.Tile.X, row, place, c, count, w.Tile.Width);
                }

                for (int i = thread; i < Places * numbers; i += threads)
                {
                    int place = first + i / numbers, n = block + i % numbers;
                    into[i] = SelectiveTile<T>.Read(w.Tile.In, row, place, n, count, w.Tile.States);
                    from[i] = SelectiveTile<T>.Read(w.Tile.Out, row, place, n, count, w.Tile.States);
                }

                Group.Barrier();
                state *= Seams<T>.Carries(w.Tile.Seams, row, first);
                if (isThere && w.HasKept != 0 && first % SelectiveScanCall.Chunk == 0)
                {
                    w.Kept[(((long)row * w.Chunks + first / SelectiveScanCall.Chunk) * w.Tile.States + number) * w.Tile.Width + channel] = state;
                }

                int places = IntrinsicMath.Min(Places, count - first);
                for (int p = 0; p < places; p++)
                {
                    int c = p * channels + thread % channels, n = p * numbers + thread / channels;
                    state *= Seams<T>.Carries(w.Tile.Seams, row, first + p);
                    state = SelectiveTile<T>.Power(steps[c], decay) * state + inputs[c] * into[n];
                    parts[p * threads + thread] = from[n] * state;
                }

                Group.Barrier();
                for (int i = thread; i < places * channels; i += threads)
                {
                    int place = first + i / channels, c = firstChannel + i % channels;
                    if (c < w.Tile.Width)
                    {
                        // Of the numbers before these y has the sum.
                        float sum = block > 0
                            ? SequenceView<T>.Read(w.Y, row, place, c)
                            : T.Read(w.Tile.Skip[c]) * SequenceView<T>.Read(w.Tile.X, row, place, c);
                        for (int n = 0; n < numbers; n++)
                        {
                            sum += parts[i / channels * threads + n * channels + i % channels];
                        }

                        SequenceView<T>.Write(w.Y, row, place, c, sum);
                    }
                }
            }

            if (isThere && w.HasState != 0)
            {
                w.State[at] = state;
            }
        }

        for (int i = thread; i < (w.Tile.Seams.Time - count) * channels; i += threads)
        {
            if (firstChannel + i % channels < w.Tile.Width)
            {
                SequenceView<T>.Write(w.Y, row, count + i / channels, firstChannel + i % channels, 0);
            }
        }
    }
}
