using System.Security.Cryptography;
using System.Text;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Interchange.Peft;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Null;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Where the values of a saved model are: in its own file and, for parameters that were not trained, in those of the model that it began with (<c>train.init</c>),
/// which its own file leaves out.
/// </summary>
internal sealed class SavedValues
{
    private readonly SavedValues? _base;
    private readonly HashSet<string> _own;
    private readonly Func<OpenValues> _open;
    private bool _isAdapter;

    private SavedValues(string path, IEnumerable<string> own, IEnumerable<string> left, SavedValues? from, Func<OpenValues>? open = null)
    {
        Source = path;
        _open = open ?? (() => OpenValues.Of(path));
        _own = [.. own];
        Left = left.ToHashSet();
        _base = from;
    }

    /// <summary>Its own file, or the model of another program.</summary>
    public string Source { get; }

    /// <summary>What its own file leaves to the model that it began with.</summary>
    public IReadOnlySet<string> Left { get; }

    /// <summary>The names of all of them.</summary>
    public IEnumerable<string> Names => _own.Concat(Left);

    /// <summary>Looks at the files of a saved model, not yet at values.</summary>
    /// <param name="folder">Where it lies.</param>
    /// <param name="config">Its configuration, the vocabulary known.</param>
    /// <param name="hashes">Whether what it began with is held against its hash, which takes reading it.</param>
    /// <exception cref="UserException">They name other tensors than the model has, or other shapes.</exception>
    /// <exception cref="BaseFault">What it began with is gone or is not what it was.</exception>
    public static SavedValues Look(string folder, RunConfig config, bool hashes = true) => Look(folder, config, hashes, []);

    /// <summary>Those of a model of another program, which is found whole when it is opened.</summary>
    public static SavedValues Of(ForeignModel foreign) => new(foreign.Path, foreign.Weights.All.Select(weight => weight.Name), [], null);

    /// <summary>Those of an adapter of peft, and of its base the rest.</summary>
    /// <param name="names">Of its values.</param>
    /// <param name="file">That holds them.</param>
    /// <param name="start">The base.</param>
    /// <param name="open">Opens them.</param>
    public static SavedValues Of(IEnumerable<string> names, string file, SavedValues start, Func<OpenValues> open)
    {
        HashSet<string> own = [.. names];
        return new(file, own, start.Names.Where(name => !own.Contains(name)), start, open) { _isAdapter = true };
    }

    /// <summary>SHA-256 of what its own file holds; of an adapter of peft that of its hash and its base's.</summary>
    public string Hash()
    {
        if (_isAdapter)
        {
            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{FileSeal.Of(Source).Sha256} {_base!.Hash()}\n")));
        }

        using ForeignModel? foreign = ForeignModel.TryOpen(Source);
        return foreign?.Hash() ?? FileSeal.Of(Source).Sha256;
    }

    /// <summary>Throws where a model cannot begin with these values: all but its adapters are among them, in its shapes.</summary>
    public void RequireFit(RunConfig config)
    {
        using var backend = new NullBackend();
        using var model = new Transformer(config.Model, backend, source: null, config.Train.Trains);
        HashSet<string> names = [.. Names];
        if (names.FirstOrDefault(name => !model.Store.Contains(name)) is { } extra)
        {
            throw new UserException($"{Source}: holds '{extra}', which the model of its config does not have");
        }

        RequireShapes(model.Store.Tensors.Where(tensor => names.Contains(tensor.Name) || model.Adapters?.Has(tensor.Name) != true));
    }

    /// <summary>Opens all files, to read one tensor after another.</summary>
    public OpenedValues Open()
    {
        List<OpenValues> files = [];
        try
        {
            for (SavedValues? values = this; values is not null; values = values._base)
            {
                files.Add(values._open());
            }

            return new OpenedValues(files);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <summary>Opens the files for a model that is going to be only used, or whose weights are single precision in its own memory.</summary>
    /// <param name="backend">Where it is used.</param>
    /// <param name="storage">What its weights are to be there.</param>
    /// <param name="leastFileBytes">Weights of smaller files are copied where storage is that of the file.</param>
    /// <exception cref="UserException">They are gone or damaged.</exception>
    public SourceInFiles Open(Backend backend, WeightStorage storage, long leastFileBytes = WeightHolder.LeastFileBytes)
    {
        List<(OpenValues, SavedValues)> files = [];
        try
        {
            for (SavedValues? values = this; values is not null; values = values._base)
            {
                files.Add((values._open(), values));
            }

            return new SourceInFiles(files, new WeightHolder(backend, storage, leastFileBytes));
        }
        catch
        {
            files.ForEach(file => file.Item1.Dispose());
            throw;
        }
    }

    /// <summary>Whether a file of its own has a tensor of that name.</summary>
    public bool HasOwn(string name) => _own.Contains(name);

    /// <summary>Reads all values into a model.</summary>
    /// <param name="store">Its parameters and state.</param>
    /// <param name="rest">Of what they do not have, or null.</param>
    public void Fill(ParameterStore store, IParameterSource? rest = null)
    {
        using OpenedValues values = Open();
        store.Fill(rest is null ? values : new FirstOfSources(values, rest));
    }

    private static SavedValues Look(string folder, RunConfig config, bool hashes, HashSet<string> above)
    {
        using var backend = new NullBackend();
        using var model = new Transformer(config.Model, backend, source: null, config.Train.Trains);
        using SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(folder, ModelFile.Name));
        StoredTensor[] left = [.. model.Store.Tensors.Where(tensor => file.Find(tensor.Name) is null)];
        bool isBegun = config.Train.Init is not null && left.All(tensor => tensor is Parameter { Frozen: true });
        ModelFile.Require(file, model.Store, isBegun ? left.Select(tensor => tensor.Name).ToHashSet() : []);
        SavedValues? from = null;
        if (left.Length > 0)
        {
            from = Base(folder, config, hashes, above);
            from.RequireShapes(left);
        }

        return new SavedValues(file.Path, file.Tensors.Select(tensor => tensor.Name), left.Select(tensor => tensor.Name), from);
    }

    // The model that another one began with, which has what that one leaves out.
    private static SavedValues Base(string folder, RunConfig config, bool hashes, HashSet<string> above)
    {
        string init = config.Train.Init!, needs = $"{folder}: needs the weights that it began with, {init} (train.init)";
        string found = Path.Exists(init) ? init : MovedBase(folder, config) ?? throw new BaseFault($"{needs}, which are not there; put them back");
        if (!above.Add(Path.GetFullPath(folder)))
        {
            throw new BaseFault($"{needs}, which need it in turn");
        }

        try
        {
            SavedValues values = LookAtBase(found, config, hashes, above);
            return !hashes || values.Hash() == config.Train.InitHash
                ? values
                : throw new BaseFault($"{needs}, and {values.Source} has changed since then; put back what it was");
        }
        catch (UserException e) when (e is not BaseFault)
        {
            throw new BaseFault($"{needs}: {e.Message}", e);
        }
    }

    private static SavedValues LookAtBase(string found, RunConfig config, bool hashes, HashSet<string> above)
    {
        if (PeftFolder.Is(found))
        {
            return SavedModel.Open(found, hashes).Values;
        }

        using ForeignModel? foreign = ForeignModel.TryOpen(found);
        if (foreign is not null)
        {
            return Of(foreign);
        }

        RunConfig own = SavedRun.LoadConfig(found);
        own = own.Model.Vocab > 0 ? own : own with { Model = own.Model with { Vocab = config.Model.Vocab } };
        return Look(found, own, hashes, above);
    }

    // A folder that was moved together with what lies beside it: the same weights where the end of the path leads from one of the folders above.
    private static string? MovedBase(string folder, RunConfig config)
    {
        string[] parts = config.Train.Init!.Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar);
        for (string? above = Path.GetDirectoryName(Path.GetFullPath(folder)); above is not null; above = Path.GetDirectoryName(above))
        {
            for (int i = 1; i < parts.Length; i++)
            {
                string candidate = Path.Combine([above, .. parts[i..]]), weights = Path.Combine(candidate, ModelFile.Name);
                if (File.Exists(weights) && FileSeal.Of(weights).Sha256 == config.Train.InitHash)
                {
                    return candidate;
                }
            }
        }

        return null;
    }

    // Of tensors in these files; each is found in the first that has it.
    private void RequireShapes(IEnumerable<StoredTensor> tensors)
    {
        using OpenValues file = _open();
        List<StoredTensor> deeper = [.. tensors.Where(tensor => !file.HasShape(tensor))];
        if (_base is null && deeper is [{ } missing, ..])
        {
            throw new UserException($"{Source}: '{missing.Name}' is missing");
        }

        if (deeper.Count > 0)
        {
            _base!.RequireShapes(deeper);
        }
    }
}

/// <summary>What a saved model began with, and does not hold itself, is gone or is not what it was: no other checkpoint of its run helps.</summary>
internal sealed class BaseFault(string message, Exception? innerException = null) : ElsewhereFault(message, innerException);
