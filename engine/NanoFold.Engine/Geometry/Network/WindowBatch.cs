using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Network;

/// <summary>The beginnings of some of a probe's windows, and a model in double precision to run them through.</summary>
internal static class WindowBatch
{
    // Of the parameters in double precision.
    private const long MostBytes = 4L << 30;

    /// <summary>Windows, evenly spaced over those of a probe.</summary>
    /// <param name="network">Whose.</param>
    /// <param name="count">How many at most.</param>
    /// <param name="time">Places of each at most.</param>
    /// <param name="copies">How often all of them stand in the batch, one after the other.</param>
    public static BatchRows Of(NetworkSample network, int count, int time, int copies = 1)
    {
        (count, time) = (Math.Min(count, network.Batch), Math.Min(time, network.Time));
        var batch = new BatchRows([.. network.Task.Fields(time).Where(field => field.IsInput)], count * copies);
        foreach (BatchField field in batch.Fields)
        {
            int to = field.RowCount;
            for (int row = 0; row < count * copies; row++)
            {
                int window = WindowOf(network, count, row % count);
                if (field.Type == DType.Int32)
                {
                    Span<int> source = network.Rows.Integers(field.Name);
                    source.Slice(window * (source.Length / network.Batch), to).CopyTo(batch.Integers(field.Name).Slice(row * to, to));
                }
                else
                {
                    Span<float> source = network.Rows.Reals(field.Name);
                    source.Slice(window * (source.Length / network.Batch), to).CopyTo(batch.Reals(field.Name).Slice(row * to, to));
                }
            }
        }

        foreach (ref int prefix in batch.Integers(BatchField.Prefixes))
        {
            prefix = Math.Min(prefix, time);
        }

        return batch;
    }

    /// <summary>Which window of the probe stands in a row.</summary>
    public static int WindowOf(NetworkSample network, int count, int row) => (int)((long)row * network.Batch / count);

    /// <summary>A copy in double precision, where the device has it and there is room for it; otherwise null.</summary>
    public static Transformer? InDouble(Transformer model) =>
        model.Backend.Supports(DType.Float64) && model.Store.Elements * sizeof(double) <= MostBytes
            ? new Transformer(model.Config, model.Backend, new StoreSource(model.Store), trains: null, DType.Float64)
            : null;
}
