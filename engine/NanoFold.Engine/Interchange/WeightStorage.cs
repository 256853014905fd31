using NanoFold.Kernels;

namespace NanoFold.Engine.Interchange;

/// <summary>What weights of a model that is only used, not trained, are in memory.</summary>
public enum WeightStorage
{
    /// <summary>Single precision, in memory of their own.</summary>
    Float32,

    /// <summary>
    /// What they are in their file, read where they lie there, where the backend can (<see cref="Backend.Map"/>) and does without widening (<see cref="Backend.ReadsWeights"/>); results
    /// are those of <see cref="Float32"/>, bit by bit. Of small files, which caches hold, single precision.
    /// </summary>
    AsStored,

    /// <summary>Half precision, of matrices; rounded where they have more.</summary>
    Float16,

    /// <summary>The upper halves of single precision, of matrices; rounded where they have more.</summary>
    BFloat16,

    /// <summary>Blocks of 32 values of 8 bits, of matrices whose rows are whole blocks; rounded where they have more.</summary>
    Q8_0,
}

/// <summary>The types of <see cref="WeightStorage"/>.</summary>
public static class WeightStorages
{
    /// <summary>The type that matrices get; null where that is not for the storage to say.</summary>
    public static DType? TypeOf(this WeightStorage storage) => storage switch
    {
        WeightStorage.Float16 => DType.Float16,
        WeightStorage.BFloat16 => DType.BFloat16,
        WeightStorage.Q8_0 => DType.Q8_0,
        _ => null,
    };

    /// <summary>Throws where a backend cannot use weights so.</summary>
    /// <exception cref="UserException">It computes with others.</exception>
    public static void Require(this WeightStorage storage, Backend backend)
    {
        if (storage.TypeOf() is { } type && !backend.ReadsWeights(type))
        {
            throw new UserException($"--weights: {backend.Name} keeps weights in single precision; leave it out, or use --device cpu");
        }
    }
}
