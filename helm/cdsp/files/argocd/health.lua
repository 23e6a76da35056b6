-- Health of a CDSPExperiment for Argo CD, which calls a kind that it does not know healthy.
local function progressing(message)
  return { status = "Progressing", message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return progressing("is being deleted")
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return progressing("waits for the operator to see the last change")
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end

local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end
local succeeded = conditions["Succeeded"]
local message = succeeded ~= nil and succeeded.message or ""

if holds("Stalled") or (succeeded ~= nil and succeeded.status == "False") then
  return { status = "Degraded", message = message }
end
if holds("Suspended") then
  return { status = "Suspended", message = message }
end
if holds("Succeeded") then
  return { status = "Healthy", message = message }
end
return progressing(message)
