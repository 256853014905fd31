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
            ParameterStore store = Meet(parameter.Store);
            DType type = parameter.Type;
            if (tape.Type.Is16Bit())
            {
                type = tape.Type;
                store.Shadow(type);
            }

            values.Add(new TapeValue(ValueKind.Parameter, parameter.Layout, type, parameter.Name)
            {
                Parameter = parameter,
                NeedsGradient = training && !parameter.Frozen,
            });
            tensor = new Tensor(values.Count - 1, 0, parameter.Layout, type);
            _parameters.Add(parameter, tensor);
        }

        return tensor;
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
}
