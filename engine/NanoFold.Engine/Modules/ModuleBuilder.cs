using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>Declares what a module needs: its parameters under its name, as in <c>model.layers.3.self_attn</c>, and the tables that it shares with others.</summary>
public sealed class ModuleBuilder
{
    private readonly ParameterStore _store;
    private readonly TableStore _tables;
    private readonly Dictionary<object, int> _counts;
    private readonly AdapterSet? _adapters;
    private readonly string _prefix;
    private readonly bool _isAdapter;
    private readonly (string Name, string As) _renamed = ("", "");

    /// <param name="store">Where parameters are declared.</param>
    /// <param name="tables">Where tables are.</param>
    /// <param name="model">What modules know of their model.</param>
    /// <param name="adapters">What is put around linear layers, or null.</param>
    public ModuleBuilder(ParameterStore store, TableStore tables, ModelShape model, AdapterSet? adapters = null)
    {
        _store = store;
        _tables = tables;
        _counts = [];
        Model = model;
        _adapters = adapters;
        _prefix = "";
    }

    private ModuleBuilder(ModuleBuilder of, ModelShape model, string prefix, int layer, (string Name, string As) renamed, bool isAdapter = false)
        : this(of._store, of._tables, model, of._adapters)
    {
        _counts = of._counts;
        _prefix = prefix;
        Layer = layer;
        _renamed = renamed;
        _isAdapter = isAdapter || of._isAdapter;
    }

    public ModelShape Model { get; }

    private double WidthRatio => Model.Parametrization.Ratio(Model.Width);

    /// <summary>Index of the layer, 0 outside one.</summary>
    public int Layer { get; }

    /// <summary>Real type of the parameters.</summary>
    public DType Type => _store.Type;

    public ModuleBuilder In(string name) => new(this, Model, Full(name == _renamed.Name ? _renamed.As : name), Layer, ("", ""));

    /// <summary>For one of several modules that would take the same name: what it declares in <paramref name="name"/> goes by another one.</summary>
    /// <param name="name">The name that it takes.</param>
    /// <param name="renamed">The one that it gets.</param>
    /// <param name="model">What it is to know of the model.</param>
    public ModuleBuilder Renaming(string name, string renamed, ModelShape model) => new(this, model, _prefix, Layer, (name, renamed));

    public ModuleBuilder InLayer(int layer) => new(this, Model, Full($"layers.{layer}"), layer, ("", ""));

    /// <summary>The matrix of the layer that an adapter is put around.</summary>
    internal Parameter LayerMatrix => (Parameter)_store.Find(Full("weight"))!;

    /// <summary>Declares a parameter.</summary>
    /// <param name="name">Its name from here.</param>
    /// <param name="layout">Its shape.</param>
    /// <param name="role">Decides its optimizer, decay and place.</param>
    /// <param name="initializer">How it starts; see <see cref="Initialization"/>.</param>
    /// <param name="growth">Which of its dimensions grow with the width of the model.</param>
    public Parameter Add(string name, Layout layout, ParameterRole role, Initializer initializer, GrowthKind growth = GrowthKind.Input) =>
        Declared(_store.Add(Full(name), layout, role, initializer, new Growth(growth, WidthRatio)));

    /// <summary>
    /// Declares a parameter of an adapter that the layers beside each other in one part of the model share: under the name of that part, once, by the first of them.
    /// </summary>
    /// <param name="name">Its name from the part on.</param>
    /// <param name="layout">Its shape.</param>
    /// <param name="owner">What shares it: another owner has none of that name there.</param>
    /// <param name="initializer">How it starts.</param>
    /// <exception cref="UserException">The layers are of other widths, or another adapter has one there.</exception>
    internal Parameter AddShared(string name, Layout layout, object owner, Initializer initializer)
    {
        string part = _prefix[..Math.Max(0, _prefix.LastIndexOf('.'))], full = part.Length == 0 ? name : $"{part}.{name}";
        if (_store.Find(full) is not Parameter found)
        {
            _counts[(full, owner)] = 1;
            return Declared(_store.Add(full, layout, ParameterRole.Head, initializer, new Growth(GrowthKind.Output, WidthRatio)));
        }

        return found.Layout.SameShape(layout) && _counts.ContainsKey((full, owner))
            ? found
            : throw UserException.Usage($"model.adapters: {_prefix} cannot share '{full}', which is of layers of another width or of another adapter; set sharesA=false, or name other targets");
    }

    /// <summary>Declares y = x Wᵀ (+ b), with the parameters <c>NAME.weight</c> and <c>NAME.bias</c>.</summary>
    /// <param name="name">As in <c>q_proj</c>.</param>
    /// <param name="inputs">Columns of W.</param>
    /// <param name="outputs">Rows of W.</param>
    /// <param name="initializer">Of W; see <see cref="Initialization"/>.</param>
    /// <param name="bias">Whether there is a bias.</param>
    /// <param name="role">Decides the optimizer.</param>
    /// <param name="biasInitializer">Of a bias that does not start from 0.</param>
    /// <param name="growth">Which of its dimensions grow with the width of the model; null for both of a matrix, and for the inputs of what makes coefficients.</param>
    public Linear Linear(
        string name, int inputs, int outputs, Initializer initializer, bool bias = false, ParameterRole role = ParameterRole.Matrix, Initializer? biasInitializer = null, GrowthKind? growth = null)
    {
        GrowthKind grows = growth ?? role switch
        {
            ParameterRole.Matrix => GrowthKind.Hidden,
            ParameterRole.Head => GrowthKind.Output,
            _ => GrowthKind.Input,
        };
        Initializer first = grows == GrowthKind.Output && initializer.Kind == InitializerKind.Normal ? Initializer.Normal(initializer.Value / Math.Sqrt(WidthRatio)) : initializer;
        Parameter weight = Add($"{name}.weight", Layout.Of(outputs, inputs), role, first, grows);
        GrowthKind ofBias = growth is GrowthKind.Output or GrowthKind.ScaledOutput ? GrowthKind.None : GrowthKind.Input;
        var linear = new PlainLinear(weight, bias ? Add($"{name}.bias", Layout.Of(outputs), ParameterRole.Vector, biasInitializer ?? Initializer.Zero, ofBias) : null);
        // What is declared beside the model's body is a head.
        if (AdapterOf(name, isHead: _prefix.Length == 0) is not { } adapter)
        {
            weight.AllowsStoredTypes = true;
            return linear;
        }

        Linear adapted = adapter.Wrap(AdapterIn(name), linear);
        _adapters!.Add(new AdaptedLinear(Full(name), adapter, adapted));
        return new SwitchedLinear(linear, adapted);
    }

    /// <summary>Declares the vectors of tokens, with the parameter <c>NAME.weight</c> [tokens, width].</summary>
    public Embedding Embedding(string name, int tokens, int width, Initializer initializer)
    {
        Parameter weight = Add($"{name}.weight", Layout.Of(tokens, width), ParameterRole.Embedding, initializer);
        weight.AllowsStoredTypes = true;
        var table = new PlainEmbedding(weight);
        if (_isAdapter || _adapters?.For(Full(name), isLinear: false, isListed: false) is not { } adapter)
        {
            return table;
        }

        Embedding adapted = adapter.Wrap(AdapterIn(name), table);
        _adapters.Add(new AdaptedEmbedding(Full(name), adapter, adapted));
        return new SwitchedEmbedding(table, adapted);
    }

    /// <summary>
    /// Declares a matrix for each of some groups of rows, W [groups, outputs, inputs], with the parameter <c>NAME.weight</c> and, with biases [groups, outputs], <c>NAME.bias</c>.
    /// </summary>
    public GroupedLinear GroupedLinear(string name, int groups, int inputs, int outputs, Initializer initializer, bool bias = false)
    {
        Parameter weight = Add($"{name}.weight", Layout.Of(groups, outputs, inputs), ParameterRole.Matrix, initializer, GrowthKind.Hidden);
        weight.AllowsStoredTypes = true;
        var linear = new PlainGroupedLinear(
            weight, bias ? Add($"{name}.bias", Layout.Of(groups, outputs), ParameterRole.Vector, Initializer.Zero) : null, bias ? Table("one", Layout.Of(1, 1), () => [1]) : null);
        if (AdapterOf(name) is not { } adapter)
        {
            return linear;
        }

        GroupedLinear adapted = adapter.Wrap(AdapterIn(name), linear);
        _adapters!.Add(new AdaptedGroups(Full(name), adapter, adapted));
        return new SwitchedGroups(linear, adapted);
    }

    /// <summary>Declares a norm over <paramref name="width"/> elements, with the parameters <c>NAME.weight</c> and, of a layer norm, <c>NAME.bias</c>.</summary>
    /// <param name="name">As in <c>input_layernorm</c>.</param>
    /// <param name="width">What it runs over.</param>
    /// <param name="kind">Null for the model's.</param>
    /// <param name="growth">Whether what it runs over grows with the width of the model; an element of a head does not.</param>
    /// <param name="bias">Whether a layer norm has a bias; null for what the model says.</param>
    /// <param name="epsilon">What it adds to the mean square; 0 for the model's.</param>
    /// <param name="gainFromOne">Whether its gain is 1 + g; null for what the model says.</param>
    public Norm Norm(string name, int width, NormKind? kind = null, GrowthKind growth = GrowthKind.Input, bool? bias = null, double epsilon = 0, bool? gainFromOne = null)
    {
        NormKind of = kind ?? Model.Norm;
        bool fromOne = gainFromOne ?? Model.NormGainFromOne;
        Parameter gain = Add($"{name}.weight", Layout.Of(width), ParameterRole.Vector, Initialization.Gain(fromOne), growth);
        Parameter? added = of == NormKind.Layer && (bias ?? Model.NormBias) ? Add($"{name}.bias", Layout.Of(width), ParameterRole.Vector, Initializer.Zero, growth) : null;
        return new Norm(of, gain, added, epsilon > 0 ? epsilon : Model.NormEpsilon, fromOne);
    }

    /// <summary>State that is saved with the parameters: neither a gradient nor an optimizer changes it.</summary>
    /// <param name="name">In the file.</param>
    /// <param name="layout">Its shape.</param>
    /// <param name="type">Of its elements; null for that of the parameters.</param>
    /// <param name="initializer">Where it starts; 0 by default.</param>
    public StateTensor AddState(string name, Layout layout, DType? type = null, Initializer initializer = default) =>
        Declared(_store.AddState(Full(name), layout, type, initializer));

    /// <summary>Declares what the router of this layer keeps; see <see cref="ParameterStore.AddRouter"/>.</summary>
    public Router AddRouter(int experts, StateTensor? bias, double biasRate) => _store.AddRouter(Layer, experts, bias, biasRate);

    /// <summary>How often it was asked with equal settings before, over all layers: the place of a layer among those that are alike.</summary>
    public int Place(object settings)
    {
        int place = _counts.GetValueOrDefault(settings);
        _counts[settings] = place + 1;
        return place;
    }

    /// <summary>Constants that a module reads; see <see cref="TableStore.Get"/>.</summary>
    public Table Table(string name, in Layout layout, Func<double[]> values) => _tables.Get(name, layout, values);

    // What an adapter declares is not adapted in turn.
    private AdapterConfig? AdapterOf(string name, bool isHead = false) => _isAdapter ? null : _adapters?.For(Full(name), !isHead);

    private ModuleBuilder AdapterIn(string layer) => new(this, Model, Full(layer), Layer, ("", ""), isAdapter: true);

    private T Declared<T>(T tensor)
        where T : StoredTensor
    {
        if (_isAdapter)
        {
            _adapters!.Add(tensor);
        }

        return tensor;
    }

    private string Full(string name) => _prefix.Length == 0 ? name : $"{_prefix}.{name}";
}
