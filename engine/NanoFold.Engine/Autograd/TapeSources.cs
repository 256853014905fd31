using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>The values of a tape that no node makes: parameters, tables and memory of others, each with one handle.</summary>
/// <param name="tape">The tape.</param>
/// <param name="values">Its values, to which these are added.</param>
/// <param name="training">Whether parameters that are trained need a gradient.</param>
internal sealed class TapeSources(Tape tape, List<TapeValue> values, bool training)
{
    private readonly Dictionary<Parameter, Tensor> _parameters = [];
    private readonly Dictionary<Parameter, (IReadOnlyList<Parameter> Parts, Tensor Whole)> _joined = [];
    private readonly Dictionary<Table, Tensor> _tables = [];
    private readonly List<ParameterStore> _stores = [];

    public IReadOnlyList<ParameterStore> Stores => _stores;

    public Tensor Add(string name, in View view)
    {
        values.Add(new TapeValue(ValueKind.External, view.Layout, view.Type, name) { External = view });
        return new Tensor(values.Count - 1, 0, view.Layout, view.Type);
    }

    public Tensor Of(Parameter parameter)
    {
        if (!_parameters.TryGetValue(parameter, out Tensor tensor))
        {
            tensor = AddParameters([parameter], parameter.Layout);
            _parameters.Add(parameter, tensor);
        }

        return tensor;
    }

    /// <summary>
    /// Parameters that lie one after the other in their store as one value [Σ rows, ..], of which each is a part from then on; none where they do not, where some are
    /// trained and others are not, or where one is in use by itself.
    /// </summary>
    public Tensor OfJoined(IReadOnlyList<Parameter> parameters)
    {
        if (_joined.TryGetValue(parameters[0], out (IReadOnlyList<Parameter> Parts, Tensor Whole) before))
        {
            return before.Parts.SequenceEqual(parameters) ? before.Whole : default;
        }

        if (parameters.Any(_parameters.ContainsKey) || !LieTogether(parameters))
        {
            return default;
        }

        int[] shape = parameters[0].Layout.ToShape();
        shape[0] = parameters.Sum(parameter => parameter.Layout[0]);
        Tensor whole = AddParameters(parameters, Layout.Of(shape));
        int row = 0;
        foreach (Parameter parameter in parameters)
        {
            _parameters.Add(parameter, whole.Slice(0, row, parameter.Layout[0]));
            row += parameter.Layout[0];
        }

        _joined.Add(parameters[0], (parameters, whole));
        return whole;
    }

    public Tensor Of(Table table)
    {
        if (!_tables.TryGetValue(table, out Tensor tensor))
        {
            tensor = Add(table.Name, table.View);
            _tables.Add(table, tensor);
        }

        return tensor;
    }

    /// <summary>A store of what is used, which must be where the tape is recorded for.</summary>
    public ParameterStore Meet(ParameterStore store)
    {
        if (!_stores.Contains(store))
        {
            if (store.Backend != tape.Backend)
            {
                throw new ArgumentException($"tape: parameters are on {store.Backend.Name}, the tape is recorded for {tape.Backend.Name}");
            }

            _stores.Add(store);
        }

        return store;
    }

    private static bool LieTogether(IReadOnlyList<Parameter> parameters)
    {
        for (int i = 0; i < parameters.Count; i++)
        {
            (Parameter before, Parameter here) = (parameters[Math.Max(0, i - 1)], parameters[i]);
            bool follows = i == 0 || here.Offset == before.Offset + before.Layout.Count;
            bool isAlike = here.Store == before.Store && here.Frozen == before.Frozen && here.Layout.Rank == before.Layout.Rank
                && (here.Layout.Rank == 1 || (here.Layout.Rank == 2 && here.Layout[1] == before.Layout[1]));
            if (!follows || !isAlike || here.Held is not null)
            {
                return false;
            }
        }

        return true;
    }

    private Tensor AddParameters(IReadOnlyList<Parameter> parameters, in Layout layout)
    {
        ParameterStore store = Meet(parameters[0].Store);
        DType type = parameters[0].Type;
        if (tape.Type.Is16Bit())
        {
            type = tape.Type;
            store.Shadow(type);
        }

        values.Add(new TapeValue(ValueKind.Parameter, layout, type, string.Join(" + ", parameters.Select(parameter => parameter.Name)))
        {
            Parameters = parameters,
            NeedsGradient = training && !parameters[0].Frozen,
        });
        return new Tensor(values.Count - 1, 0, layout, type);
    }
}
