using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Interchange.Exports;
using NanoFold.Engine.Interchange.HuggingFace.Architectures;
using NanoFold.Kernels.Null;

namespace NanoFold.Engine.Interchange.Peft;

/// <summary>
/// The adapters of a model of ours as peft has them: by the modules of the base. Where a module is several of our layers, theirs are joined: one A of all their rows, one B
/// with zeros where a layer does not read them.
/// </summary>
internal sealed class PeftWriter
{
    private readonly OwnModel _model;
    private readonly PeftModules _modules;
    private readonly Dictionary<string, LoraConfig> _adapters;
    private readonly SortedDictionary<string, (long[] Shape, Func<float[]> Values)> _tensors = new(StringComparer.Ordinal);
    private readonly List<PeftModule> _written = [];

    /// <param name="model">With adapters.</param>
    /// <exception cref="UserException">Something that is trained has no place in the files of peft.</exception>
    public PeftWriter(OwnModel model)
    {
        _model = model;
        ModelConfig bare = model.Config with { Adapters = [] };
        Architecture? architecture = Architecture.All.FirstOrDefault(one => one.Name == model.BaseArchitecture) ?? Architecture.All.FirstOrDefault(one => one.WhyNot(bare) is null);
        IsNamedAsOurs = architecture is null;
        _modules = PeftModules.Of(bare, architecture).First();
        _adapters = AdaptersOf(model.Config);
        foreach (string module in _modules.Names)
        {
            Add(module);
        }

        HashSet<string> placed = [.. _modules.Names.SelectMany(_modules.OfModule).Select(PeftModules.LayerOf)];
        if (_adapters.Keys.FirstOrDefault(layer => !placed.Contains(layer)) is { } lost)
        {
            throw new UserException($"model.adapters: '{lost}' is no module of its own in {architecture?.Name ?? "the base"}, so that an adapter around it has no place in the files of peft; name it in exclude");
        }

        AddWhole();
    }

    /// <summary>Whether the modules have our names, for no architecture of transformers is this model.</summary>
    public bool IsNamedAsOurs { get; }

    /// <summary>Whether matrices of the base lie transposed.</summary>
    public bool IsTransposed { get; private set; }

    /// <summary>The modules with an adapter.</summary>
    public IReadOnlyList<PeftModule> Modules => _written;

    /// <summary><c>none</c>, <c>lora_only</c> or <c>all</c>: which biases are trained.</summary>
    public string Bias { get; private set; } = "none";

    /// <summary>Modules that are written as a whole.</summary>
    public IReadOnlyList<string> Saved { get; private set; } = [];

    /// <summary>Names without the prefix, shapes and values.</summary>
    public IEnumerable<(string Name, long[] Shape, Func<float[]> Values)> Tensors => _tensors.Select(pair => (pair.Key, pair.Value.Shape, pair.Value.Values));

    /// <summary>The layers as targets: the ends of their names where all modules with that end have an adapter.</summary>
    public IReadOnlyList<string> Targets
    {
        get
        {
            HashSet<string> chosen = [.. _written.Select(module => module.Name)];
            ILookup<string, string> all = _modules.Names.ToLookup(EndOf);
            return [.. _written.GroupBy(module => EndOf(module.Name)).SelectMany(group => all[group.Key].All(chosen.Contains) ? [group.Key] : group.Select(module => module.Name))];
        }
    }

    private static string EndOf(string name) => name[(name.LastIndexOf('.') + 1)..];

    private static Dictionary<string, LoraConfig> AdaptersOf(ModelConfig config)
    {
        using var backend = new NullBackend();
        using var model = new Transformer(config, backend, source: null, trains: null);
        return model.Adapters!.Layers.ToDictionary(layer => layer.Name, layer => layer.Adapter as LoraConfig
            ?? throw new UserException($"model.adapters: \"{layer.Adapter.Kind}\" has no place in the files of peft, which have lora"));
    }

    private void Add(string module)
    {
        (TensorRule Rule, int Part)[] all =
            [.. _modules.OfModule(module).SelectMany(rule => rule.Parts.Index().Where(part => PeftModules.ModuleOf(part.Item.Theirs) == module).Select(part => (rule, part.Index)))];
        (TensorRule Rule, int Part)[] adapted = [.. all.Where(one => _adapters.ContainsKey(PeftModules.LayerOf(one.Rule)))];
        if (adapted.Length == 0)
        {
            return;
        }

        LoraConfig first = _adapters[PeftModules.LayerOf(adapted[0].Rule)];
        IsTransposed |= adapted[0].Rule.Parts[0].IsTransposed;
        if (_model.Weights.Any(weight => weight.Name == $"{PeftModules.LayerOf(adapted[0].Rule)}.lora_embedding_A"))
        {
            AddEmbedding(module, adapted[0].Rule, first);
            return;
        }

        if (first.Dora && adapted.Length < all.Length)
        {
            throw new UserException($"model.adapters: dora around only some of the layers that are joined in {module} has no place in the files of peft");
        }

        // Where each layer's A stands in the joined one.
        var starts = new Dictionary<string, int>();
        int rank = 0;
        foreach ((TensorRule rule, _) in adapted)
        {
            LoraConfig lora = _adapters[PeftModules.LayerOf(rule)];
            if (starts.TryAdd(PeftModules.DownName(PeftModules.LayerOf(rule), lora.SharesA), rank))
            {
                rank += lora.Rank;
            }
        }

        var joined = new JoinedModule(this, module, adapted, starts, rank, first);
        _written.Add(new PeftModule(module, rank, first with { Rank = rank, Alpha = first.Scale * (first.RankStabilized ? Math.Sqrt(rank) : rank) }));
        Add($"{module}.lora_A.weight", [rank, joined.Inputs], joined.Down);
        Add($"{module}.lora_B.weight", [joined.Rows, rank], joined.Up);
        if (first.Bias)
        {
            Add($"{module}.lora_B.bias", [joined.Rows], () => joined.OfRows("lora_B.bias"));
        }

        if (first.Dora)
        {
            Add($"{module}.{LoraConfig.Magnitude}", [joined.Rows], () => joined.OfRows(LoraConfig.Magnitude));
        }
    }

    private void AddEmbedding(string module, TensorRule table, LoraConfig lora)
    {
        _written.Add(new PeftModule(module, lora.Rank, lora));
        var theirs = new RuledTensors(PeftModules.OfEmbedding(table, lora.Rank), _model.Read);
        foreach ((string name, IReadOnlyList<long> shape) in theirs.Tensors)
        {
            Add(name, [.. shape], () => theirs.Read(name));
        }
    }

    // What is trained and is no adapter: biases, or modules as a whole.
    private void AddWhole()
    {
        var theirs = new RuledTensors(_modules.Rules, _model.Read);
        string[] trained = [.. _modules.Rules.Where(rule => _model.Trained.Contains(rule.Ours)).SelectMany(rule => rule.Parts.Select(part => part.Theirs)).Distinct()];
        HashSet<string> adapted = [.. _written.Select(module => module.Name)];
        string[] biases = [.. theirs.Tensors.Select(tensor => tensor.Name).Where(IsBias)];
        string[] ofAdapted = [.. biases.Where(name => adapted.Contains(PeftModules.ModuleOf(name)))];
        if (trained.Length > 0 && trained.All(IsBias))
        {
            Bias = trained.ToHashSet().SetEquals(ofAdapted) ? "lora_only" : trained.ToHashSet().SetEquals(biases) ? "all" : "none";
        }

        foreach ((string name, IReadOnlyList<long> shape) in theirs.Tensors.Where(tensor => trained.Contains(tensor.Name)))
        {
            string module = PeftModules.ModuleOf(name);
            if (Bias == "none" && (adapted.Contains(module) || theirs.Tensors.Any(other => PeftModules.ModuleOf(other.Name) == module && !trained.Contains(other.Name))))
            {
                throw new UserException($"train.trainable: '{name}' is trained beside adapters; the files of peft hold whole modules, all biases, or those of adapted layers");
            }

            Add(adapted.Contains(module) ? $"{module}.base_layer.bias" : name, [.. shape], () => theirs.Read(name));
        }

        Saved = Bias == "none" ? [.. trained.Select(PeftModules.ModuleOf).Distinct()] : [];
    }

    private static bool IsBias(string name) => name.EndsWith(".bias", StringComparison.Ordinal);

    private void Add(string name, long[] shape, Func<float[]> values) => _tensors.Add(name, (shape, values));

    /// <summary>The adapters of the layers of one module, put together when they are written.</summary>
    private sealed class JoinedModule(PeftWriter of, string module, (TensorRule Rule, int Part)[] layers, Dictionary<string, int> starts, int rank, LoraConfig first)
    {
        public int Inputs { get; } = layers[0].Rule.Shape[^1];

        public long Rows { get; } = layers[0].Rule.Parts[layers[0].Part].AllRows;

        public float[] Down()
        {
            var values = new float[rank * Inputs];
            foreach ((TensorRule rule, int part) in layers)
            {
                LoraConfig lora = Of(rule);
                string name = PeftModules.DownName(PeftModules.LayerOf(rule), lora.SharesA);
                int count = lora.Rank * Inputs;
                of._model.Read(name).AsSpan(rule.Shape.Count > 2 ? part * count : 0, count).CopyTo(values.AsSpan(starts[name] * Inputs));
            }

            return values;
        }

        public float[] Up()
        {
            var values = new float[Rows * rank];
            foreach ((TensorRule rule, int part) in layers)
            {
                LoraConfig lora = Of(rule);
                if (lora.RankStabilized != first.RankStabilized && lora.Scale != first.Scale || lora.Bias != first.Bias || lora.Dora != first.Dora)
                {
                    throw new UserException($"model.adapters: the layers that are joined in {module} have adapters of different kinds, which has no place in the files of peft");
                }

                int start = starts[PeftModules.DownName(PeftModules.LayerOf(rule), lora.SharesA)];
                var factor = (float)(lora.Scale / first.Scale);
                ForRows(rule, part, lora.Rank, $"{PeftModules.LayerOf(rule)}.lora_B.weight", (row, source) =>
                {
                    Span<float> target = values.AsSpan((int)(row * rank) + start, lora.Rank);
                    for (int i = 0; i < target.Length; i++)
                    {
                        target[i] = source[i] * factor;
                    }
                });
            }

            return values;
        }

        public float[] OfRows(string name)
        {
            var values = new float[Rows];
            foreach ((TensorRule rule, int part) in layers)
            {
                ForRows(rule, part, 1, $"{PeftModules.LayerOf(rule)}.{name}", (row, source) => values[row] = source[0]);
            }

            return values;
        }

        private LoraConfig Of(TensorRule rule) => of._adapters[PeftModules.LayerOf(rule)];

        // Each row of a layer's tensor, with the place that it has in the module.
        private void ForRows(TensorRule rule, int part, int width, string name, RowAction use)
        {
            float[] values = of._model.Read(name);
            long first = rule.Parts.Take(part).Sum(one => one.Rows);
            foreach (RowRun run in rule.Parts[part].Runs)
            {
                for (long i = 0; i < run.Count; i++)
                {
                    use(run.At(i), values.AsSpan((int)((first + i) * width), width));
                }

                first += run.Count;
            }
        }

        private delegate void RowAction(long row, ReadOnlySpan<float> source);
    }
}

/// <summary>A module with an adapter as it is written.</summary>
/// <param name="Name">In the base.</param>
/// <param name="Rank">Rows of A.</param>
/// <param name="Adapter">Its settings, of that rank.</param>
internal sealed record PeftModule(string Name, int Rank, LoraConfig Adapter);
