using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>A model with random weights that is only used.</summary>
public static class RandomModel
{
    /// <summary>That of a configuration and its seed.</summary>
    /// <param name="config">Resolved, its vocabulary known.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="storage">What its weights are in memory.</param>
    /// <exception cref="UserException">The backend cannot use weights so.</exception>
    public static Transformer Create(RunConfig config, Backend backend, WeightStorage storage)
    {
        storage.Require(backend);
        var seed = (ulong)config.Train.Seed;
        if (storage.TypeOf() is null)
        {
            return new Transformer(config.Model, backend, seed);
        }

        using var drawn = new Transformer(config.Model, backend, seed);
        using var holder = new WeightHolder(backend, storage, leastFileBytes: 0);
        return new Transformer(config.Model, backend, new Source(drawn, new SeedSource(seed), holder), trains: null);
    }

    private sealed class Source(Transformer drawn, SeedSource seed, WeightHolder holder) : IHoldingSource
    {
        public HeldValues? TryHold(Parameter parameter) => holder.Hold(parameter, "random weights", runs: null, (start, destination) =>
        {
            View values = drawn.Store.Values(drawn.Store[parameter.Name]);
            drawn.Backend.Download(values.With(Layout.Of(destination.Length), start), destination);
        });

        public bool TryFill(StoredTensor tensor) => seed.TryFill(tensor);
    }
}
